"""How benchmarks measure and report. What they measure is in the committed record."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnistlib.results import collect

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def compare(monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "offline")  # which importing the ledger changes
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import compare

    return compare


@pytest.fixture
def ledger(compare):
    import ledger

    return ledger


def test_a_ratio_is_how_many_times_better_ours_is(compare):
    time = compare.Comparison("time", "s", source=6.0, ours=2.0, aim=3)
    rate = compare.Comparison("rate", "images/s", 2.0, 5.0, 3, higher_is_better=True, note="why")
    assert time.ratio == 3 and "missed" not in str(time)
    assert rate.ratio == 2.5 and str(rate).endswith("2.5x  (aim 3: missed)\n  why")


BENCHMARK = """
from compare import Comparison, Reproduction
from mnistlib import MnistError

def comparisons(quick):
    return [Comparison("quick" if quick else "long", "s", 4.0, 2.0, aim=3)]

def reproductions():
    return [Reproduction("S0", "net", "about 0.9", 0.91, 3.0, "label")]
"""


@pytest.fixture
def benchmark(ledger, tmp_path, monkeypatch):
    """A benchmark that measures nothing, as the only one; returns what runs it."""
    (tmp_path / "nothing.py").write_text(BENCHMARK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(ledger, "BENCHMARKS", ("nothing",))
    monkeypatch.setattr(ledger, "RECORD", tmp_path / "ledger.json")
    monkeypatch.setattr(ledger, "load", lambda: None)
    monkeypatch.setattr(ledger, "current_device", lambda framework: "some CPU")
    monkeypatch.setattr(ledger, "current_versions", lambda framework: {framework: "1.0"})
    return ledger.main


def test_the_record_holds_what_was_measured_and_no_more(benchmark, tmp_path, capsys):
    assert benchmark(["--record"]) == 0
    printed = capsys.readouterr().out
    assert "2.0x  (aim 3: missed)" in printed and "0.9100 in 3 s" in printed
    record = json.loads((tmp_path / "ledger.json").read_text())
    committed = json.loads((ROOT / "benchmarks" / "ledger.json").read_text())
    assert record.keys() == committed.keys()
    for kind in ("comparisons", "reproductions"):
        assert record[kind][0].keys() == committed[kind][0].keys()
    assert record["comparisons"][0]["source"] == 4.0
    assert record["devices"] == ["some CPU"]


def test_without_mnist_nothing_is_measured(tmp_path):
    """Offline digits would do for everything else."""
    finished = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "ledger.py", "--quick"],
        env={**os.environ, "MNISTLIB_DATA_DIR": str(tmp_path), "MNISTLIB_SOURCE": "offline"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1 and finished.stdout == ""
    assert str(tmp_path) in finished.stderr and "Traceback" not in finished.stderr


def test_the_committed_record_has_every_source():
    record = json.loads((ROOT / "benchmarks" / "ledger.json").read_bytes())
    assert {row["source"] for row in record["reproductions"]} == {f"S{i}" for i in range(5)}
    labels = {result.label for result in collect(ROOT / "notebooks")}
    assert {row["chapter_label"] for row in record["reproductions"]} <= labels
