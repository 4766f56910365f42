"""How benchmarks report. What they measured is in the committed record."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from mnistlib.results import collect

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = json.loads((ROOT / "benchmarks" / "ledger.json").read_bytes())


def test_a_ratio_is_how_many_times_better_ours_is_and_no_derived_figure_is_kept(monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "offline")  # which importing the ledger changes
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    ledger = importlib.import_module("ledger")
    time = ledger.Comparison("time", "s", source=6.0, ours=2.0, aim=3)
    rate = ledger.Comparison("rate", "images/s", 2.0, 5.0, 3, higher_is_better=True, note="why")
    assert time.ratio == 3 and "missed" not in str(time)
    assert rate.ratio == 2.5 and str(rate).endswith("2.5x  (aim 3: missed)\n  why")
    run = ledger.Reproduction("S0", "net", "about 0.9", 0.91, 3.0, "label")
    assert str(run).endswith("0.9100 in 3 s")
    record = ledger.record([time, rate], [run])
    assert record.keys() == COMMITTED.keys()
    for kind in ("comparisons", "reproductions"):
        assert record[kind][0].keys() == COMMITTED[kind][0].keys()


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
    assert {row["source"] for row in COMMITTED["reproductions"]} == {f"S{i}" for i in range(5)}
    labels = {result.label for result in collect(ROOT / "notebooks")}
    assert {row["chapter_label"] for row in COMMITTED["reproductions"]} <= labels


def test_five_seeds_ended_within_the_limits_of_their_chapters_and_are_quoted():
    record = json.loads((ROOT / "benchmarks" / "seeds.json").read_bytes())
    for chapter in ("04_callbacks", "03_input_pipelines"):
        text = (ROOT / "notebooks" / f"{chapter}.ipynb").read_text("utf-8")
        [limits] = re.findall(r"assert (0\.\d+) <= result\.value <= (0\.\d+)", text)
        low, high = map(float, limits)
        assert len(record[chapter]) == 5
        assert low <= min(record[chapter]) <= max(record[chapter]) <= high
    del record["04_callbacks"]
    assert len(record) == 6 and all(str(accuracies) in text for accuracies in record.values())


def test_chapter_12_quotes_the_record_of_its_measurements():
    record = json.loads((ROOT / "benchmarks" / "scaling.json").read_bytes())
    cells = json.loads((ROOT / "notebooks" / "12_many_devices.ipynb").read_bytes())["cells"]
    quoted = {}
    for source in ("".join(cell["source"]) for cell in cells):
        if source.startswith(("MESSAGES = ", "BATCH_SIZES = ", "EPOCHS = ")):
            exec(source, quoted)
    for name, sizes in (("ALL_REDUCE", "MESSAGES"), ("STEP", "BATCH_SIZES")):
        for processes, found in record[name].items():
            assert quoted[sizes] == [int(size) for size in found]
            assert quoted[name][int(processes)] == [median for _, median in found.values()]
    assert quoted["EPOCHS"] == {
        int(size): [
            (found[f"{way} rate"], found[f"epochs at {way} rate"]) for way in ("linear", "chosen")
        ]
        for size, found in record["EPOCHS"].items()
    }


def test_chapter_8_quotes_the_record_of_its_seeds_and_its_limits_leave_them_room():
    record = json.loads((ROOT / "benchmarks" / "cnn_seeds.json").read_bytes())
    cells = json.loads((ROOT / "notebooks" / "08_cnn.ipynb").read_bytes())["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    for name, numbers in record.items():
        [source] = [each for each in sources if each.startswith(f"{name} = ")]
        assert ast.literal_eval(ast.parse(source).body[0].value) == numbers
    limits = re.search(r"assert (0\.\d+) <= result\.value <= (0\.\d+)", "".join(sources))
    low, high = map(float, limits.groups())
    accuracies = record["METHODS"]["CNN"]
    assert len(accuracies) == 5 and low <= min(accuracies) <= max(accuracies) <= high
