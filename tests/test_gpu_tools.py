"""What runs on a machine with a GPU, as far as one without can tell."""

import json

import check_gpu
import gpu_status
import pytest

REPORT = """<testsuites><testsuite name="pytest" timestamp="2026-01-02T03:04:05.678+00:00">
<testcase classname="notebooks.01_dataset.ipynb" name="Cell 0" time="1.5" />
<testcase classname="notebooks/01_dataset.ipynb" name="Cell 1" time="2.0" />
<testcase classname="notebooks.02_keras_tfds.ipynb" name="Cell 0" time="0.25" />
</testsuite></testsuites>"""


def test_each_framework_must_see_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(check_gpu, "current_device", {"tensorflow": "CPU", "jax": "Some GPU"}.get)
    assert check_gpu.main() == 1
    assert capsys.readouterr().err.startswith("no GPU for tensorflow:")


def test_the_report_is_summed_up_by_chapter(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_status, "current_device", lambda framework: "Some GPU")
    monkeypatch.setattr(gpu_status, "current_versions", lambda framework: {framework: "1.0"})
    report, target = tmp_path / "junit.xml", tmp_path / "status.json"
    report.write_text(REPORT)
    assert gpu_status.main([str(report), str(target)]) == 0
    status = json.loads(target.read_text())
    assert status["date"] == "2026-01-02"
    assert status["chapters"] == {
        "01_dataset": {"seconds": pytest.approx(3.5)},
        "02_keras_tfds": {"seconds": 0.25},
    }
    assert status["device"] == "Some GPU"
    assert status["versions"] == {"tensorflow": "1.0", "jax": "1.0"}
