"""What runs on a machine with a GPU, as far as one without can tell."""

import json

import check_gpu
import gpu_status
import pytest

REPORT = """<testsuites><testsuite name="pytest" timestamp="2026-01-02T03:04:05.678+00:00">
<testcase classname="notebooks.01_dataset.ipynb" name="Cell 0" time="1.5" />
<testcase classname="notebooks/01_dataset.ipynb" name="Cell 1" time="2.0"><failure /></testcase>
<testcase classname="notebooks.02_keras_tfds.ipynb" name="Cell 0" time="0.25" />
</testsuite></testsuites>"""


def test_without_a_gpu_the_check_fails_and_says_why(monkeypatch, capsys):
    monkeypatch.setattr(check_gpu, "current_device", lambda framework: "CPU with 2 cores")
    assert check_gpu.main() == 1
    assert "no GPU for tensorflow and jax" in capsys.readouterr().err


def test_one_framework_on_the_cpu_is_enough_to_fail(monkeypatch, capsys):
    devices = {"tensorflow": "CPU with 2 cores", "jax": "Some GPU"}
    monkeypatch.setattr(check_gpu, "current_device", devices.get)
    assert check_gpu.main() == 1
    assert "no GPU for tensorflow:" in capsys.readouterr().err


def test_with_a_gpu_it_passes(monkeypatch):
    monkeypatch.setattr(check_gpu, "current_device", lambda framework: "Some GPU")
    assert check_gpu.main() == 0


def test_the_report_is_summed_up_by_chapter(tmp_path):
    report, target = tmp_path / "junit.xml", tmp_path / "status.json"
    report.write_text(REPORT)
    assert gpu_status.main([str(report), str(target)]) == 0
    status = json.loads(target.read_text())
    assert status["date"] == "2026-01-02"
    assert status["chapters"] == {
        "01_dataset": {"seconds": pytest.approx(3.5), "failures": 1},
        "02_keras_tfds": {"seconds": 0.25, "failures": 0},
    }
    assert status["device"]
    assert {"tensorflow", "jax"} <= status["versions"].keys()
