"""How benchmarks measure and report. What they measure is in the committed record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mnistlib import MnistError
from mnistlib.results import collect

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def compare(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import compare

    return compare


def test_a_ratio_is_how_many_times_better_ours_is(compare):
    time = compare.Comparison("time", "s", source=6.0, ours=2.0, aim=3)
    rate = compare.Comparison("rate", "images/s", 2.0, 5.0, aim=3, higher_is_better=True)
    assert time.ratio == 3 and "missed" not in str(time)
    assert rate.ratio == 2.5 and "(aim 3: missed)" in str(rate)


def test_both_ways_run_in_turn_and_the_median_counts(compare):
    calls = []

    def way(name, values):
        values = iter(values)
        return lambda: calls.append(name) or next(values)

    medians = compare.in_turn(way("source", [5, 1, 3]), way("ours", [2, 9, 4]), repeats=3)
    assert medians == (3, 4)
    assert calls == ["source", "ours"] * 3


def test_the_clock_stops_at_the_accuracy(compare):
    calls = []

    def training():
        for value in (0.5, 0.9, 0.95):
            calls.append(value)
            yield value

    def reset():
        calls.append("reset")

    assert compare.to_accuracy(0.9, training, reset, limit=3)() >= 0
    assert calls == ["reset", 0.5, 0.9]
    with pytest.raises(MnistError, match="wasn't reached"):
        compare.to_accuracy(0.9, training, reset, limit=1)()


def run(compare, monkeypatch, arguments, comparisons, reproductions=None):
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    return compare.main("A benchmark.", "numpy", comparisons, reproductions)


def test_a_benchmark_prints_and_writes_what_it_measured(compare, monkeypatch, capsys, tmp_path):
    path = tmp_path / "measured.json"
    comparison = compare.Comparison("name", "s", 4.0, 2.0, aim=3, note="because")
    reproduction = compare.Reproduction("S0", "net", "about 0.9", 0.91, 3.0, "label")
    arguments = ["--json", str(path)]
    assert not run(
        compare, monkeypatch, arguments, lambda quick: [comparison], lambda: [reproduction]
    )
    printed = capsys.readouterr().out
    assert "2.0x  (aim 3: missed)\n  because\n" in printed and "0.9100 in 3 s" in printed
    record = json.loads(path.read_text())
    assert record["comparisons"] == [comparison.as_dict()]
    assert record["reproductions"][0]["today"] == 0.91
    assert "CPU" in record["device"]


def test_quick_leaves_the_reproductions_out(compare, monkeypatch):
    def unwanted():
        raise AssertionError

    seen = []
    assert not run(
        compare, monkeypatch, ["--quick"], lambda quick: seen.append(quick) or [], unwanted
    )
    assert seen == [True]


def test_wrong_data_is_one_line(compare, monkeypatch, capsys):
    def comparisons(quick):
        raise MnistError("this comparison needs MNIST")

    assert run(compare, monkeypatch, [], comparisons) == 1
    assert capsys.readouterr().err == "this comparison needs MNIST\n"


def test_the_ledger_refuses_to_record_without_mnist(tmp_path):
    # Offline digits would do for everything else.
    environment = {"MNISTLIB_DATA_DIR": str(tmp_path), "MNISTLIB_SOURCE": "offline", "PATH": ""}
    finished = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "ledger.py", "--quick"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert finished.returncode == 1
    assert str(tmp_path) in finished.stderr and "Traceback" not in finished.stderr


def test_the_committed_record_is_whole():
    record = json.loads((ROOT / "benchmarks" / "ledger.json").read_bytes())
    assert not record["quick"]
    assert {row["source"] for row in record["reproductions"]} == {f"S{i}" for i in range(5)}
    labels = {result.label for result in collect(ROOT / "notebooks")}
    assert {row["chapter_label"] for row in record["reproductions"]} <= labels
    assert len(record["comparisons"]) >= 10
    for row in record["comparisons"]:
        better = (row["ours"], row["source"]) if row["higher_is_better"] else (
            row["source"], row["ours"]
        )  # fmt: skip
        assert row["ratio"] == pytest.approx(better[0] / better[1])


def test_every_benchmark_is_in_the_ledger():
    ledger = (ROOT / "benchmarks" / "ledger.py").read_text()
    for path in (ROOT / "benchmarks").glob("*.py"):
        if "def comparisons(" in path.read_text():
            assert f'"{path.stem}"' in ledger
