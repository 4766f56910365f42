"""How benchmarks report. What they measured is in the committed record."""

import ast
import contextlib
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mnistlib.results import collect

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = json.loads((ROOT / "benchmarks" / "ledger.json").read_bytes())
SCRIPT = ROOT / "benchmarks" / "seeds.py"
SEEDS = json.loads(SCRIPT.with_suffix(".json").read_bytes())


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


def sources(chapter):
    cells = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_bytes())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize(
    ("chapter", "accuracies"),
    [
        ("03_input_pipelines", SEEDS["QUICKSTART"]["03_input_pipelines"]),
        ("04_callbacks", SEEDS["CALLBACKS"]),
        ("08_cnn", SEEDS["METHODS"]["CNN"]),
    ],
)
def test_five_seeds_ended_within_the_limits_of_their_chapter(chapter, accuracies):
    text = "".join(sources(chapter))
    [limits] = re.findall(r"assert (0\.\d+) <= result\.value <= (0\.\d+)", text)
    low, high = map(float, limits)
    assert len(accuracies) == 5
    assert low <= min(accuracies) <= max(accuracies) <= high


def test_chapters_quote_the_record_of_their_seeds_and_the_network_that_it_is_of():
    text = "".join(sources("03_input_pipelines"))
    assert all(str(accuracies) in text for accuracies in SEEDS["QUICKSTART"].values())
    cells = sources("08_cnn")
    for name in SEEDS.keys() - {"QUICKSTART", "CALLBACKS"}:
        [source] = [each for each in cells if each.startswith(f"{name} = ")]
        assert ast.literal_eval(ast.parse(source).body[0].value) == SEEDS[name]
    [source] = [each for each in cells if each.startswith("def with_part")]
    (ours, *_), benchmark = ast.parse(source).body, ast.parse(SCRIPT.read_text("utf-8"))
    [theirs] = [each for each in benchmark.body if getattr(each, "name", "") == "with_part"]
    assert [*map(ast.dump, ours.body)] == [*map(ast.dump, theirs.body[1:])]


def test_chapter_9_quotes_the_record_of_its_seeds_and_its_limits_leave_them_room():
    record = json.loads((ROOT / "benchmarks" / "jax_seeds.json").read_bytes())
    quoted = {}
    cells = sources("09_jax_from_scratch")[1:]  # the first has a magic
    for node in (node for source in cells for node in ast.parse(source).body):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            with contextlib.suppress(ValueError, AttributeError):
                quoted[node.targets[0].id] = ast.literal_eval(node.value)
    for name, kind in (
        ("RAW", "0-255, shuffled"),
        ("SCALED", "0-1, shuffled"),
        ("LONGER", "0-1, shuffled, ten epochs"),
    ):
        kept = record[kind]
        assert quoted[name] == {float(step): values for step, values in kept.items()}
    for name, values in quoted["AS_FILED"].items():
        pixels, step = name.split(", ")
        assert values == record[f"{pixels}, as filed"][step]
    for name, values in quoted["TEN_EPOCHS"].items():
        way, order = name.split(", ")
        pixels, step = {
            "source": ("0-255", "0.001"),
            "mean alone": ("0-255", "0.01"),
            "mended": ("0-1", "0.3"),
        }[way]
        assert values == record[f"{pixels}, {order}, ten epochs, test"][step]
    low, high = quoted["BANDS"]["MNIST"]
    ours = quoted["TEN_EPOCHS"]["mended, shuffled"]
    assert len(ours) == 5 and low <= min(ours) <= max(ours) <= high


def test_chapter_12_quotes_the_record_of_its_measurements():
    record = json.loads((ROOT / "benchmarks" / "scaling.json").read_bytes())
    quoted = {}
    for source in sources("12_many_devices"):
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
