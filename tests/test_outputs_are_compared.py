"""``pytest --nbval`` fails when a result really changes.

Some cells of a chapter, with the cells that they depend on, are run beside a copy of the
library. Either the library or a stored output is altered, and the run has to notice.
"""

import os
import re
import shutil
import subprocess
import symtable
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from compare_outputs import Output, why_masked

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = ROOT / "notebooks" / "02_keras_tfds.ipynb"
# What the cells that are run print or call.
CELLS = ("library = check(", "num_classes", "share_that_meets_again(dealt)")

ALTERATIONS = {
    "nothing": None,
    "pixels divided by 256": ("mnistlib/pipelines.py", "/ 255.0", "/ 256.0"),
    "no shuffle": ("mnistlib/pipelines.py", "        .shuffle(num_examples)\n", ""),
    "a word of an output": (CHAPTER.name, "10 classes", "11 classes"),
    "a decimal of an output": (CHAPTER.name, "shuffle: 1.0000", "shuffle: 0.9700"),
}


def given_and_taken(source):
    """The names that a cell gives to later ones, and those it takes from earlier ones."""
    table = symtable.symtable(source, "cell", "exec")
    symbols = table.get_symbols()
    given = {each.get_name() for each in symbols if each.is_assigned() or each.is_imported()}
    taken = {each.get_name() for each in symbols if each.is_referenced()}
    for function in table.get_children():
        taken |= {each.get_name() for each in function.get_symbols() if each.is_global()}
    return given, taken - given


def sliced(notebook):
    """Leave the cells that hold one of CELLS, and those they take names from."""
    kept, needed = [], set()
    for cell in reversed([cell for cell in notebook.cells if cell.cell_type == "code"]):
        if "%pip" in cell.source:
            continue
        given, taken = given_and_taken(cell.source)
        if any(part in cell.source for part in CELLS) or given & needed:
            needed = needed - given | taken
            kept.insert(0, cell)
    notebook.cells = kept
    return notebook


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """For each alteration, what the failed cells said."""
    project = tmp_path_factory.mktemp("project")
    for name in ("conftest.py", "pyproject.toml", "tests/nbval_sanitize.cfg"):
        (project / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    for name in ("tools", "notebooks"):
        shutil.copytree(ROOT / name, project / name)
    for altered, alteration in ALTERATIONS.items():
        folder = project / altered
        # A kernel finds what lies beside its notebook before what is installed.
        shutil.copytree(ROOT / "src" / "mnistlib", folder / "mnistlib")
        nbformat.write(sliced(nbformat.read(CHAPTER, as_version=4)), folder / CHAPTER.name)
        if alteration:
            name, old, new = alteration
            text = (folder / name).read_text()
            assert text.count(old) == 1
            (folder / name).write_text(text.replace(old, new))
    options = ["--nbval", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider"]
    notebooks = [project / altered / CHAPTER.name for altered in ALTERATIONS]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--junitxml=report.xml", *notebooks],
        cwd=project,
        env={name: value for name, value in os.environ.items() if "XDIST" not in name},
        capture_output=True,
    )
    failed = dict.fromkeys(ALTERATIONS, "")
    cases = list(ElementTree.parse(project / "report.xml").iter("testcase"))
    assert len(cases) >= 5 * len(ALTERATIONS)
    for case in cases:
        altered = re.split("[./]", case.get("classname"))[0]
        failed[altered] += "".join(each.text or "" for each in case.findall("failure"))
    return failed


def test_an_altered_library_or_word_fails_and_an_unaltered_copy_passes(outcomes):
    assert outcomes["nothing"] == ""
    assert "AssertionError" in outcomes["pixels divided by 256"]
    assert "AssertionError" in outcomes["no shuffle"]
    assert "11 classes" in outcomes["a word of an output"]


@pytest.mark.skipif(bool(why_masked()), reason=why_masked() or "decimals are compared")
def test_an_altered_decimal_fails(outcomes):
    assert "0.9700" in outcomes["a decimal of an output"]


def test_an_accuracy_may_move_by_two_points():
    output = Output("accuracy 0.9739, loss 0.0851\n")
    assert output == "accuracy 0.9641, loss 0.1100\n"
    assert output != "accuracy 0.5739, loss 0.0851\n"
    assert output != "accuracy 0.9739, loss 0.8510\n"
    assert output != "precision 0.9739, loss 0.0851\n"
