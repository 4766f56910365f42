"""``pytest --nbval`` fails when a result really changes.

A copy of the library is altered, and the chapter that uses it has to notice.
Only the chapter's first half is run, up to where it compares its own pipelines
with the library's: a beginning of a notebook always runs by itself.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "02_keras_tfds.ipynb"
LAST_CELL = "library = check("

ALTERATIONS = {
    "pixels divided by 256": ("pipelines.py", "/ 255.0", "/ 256.0"),
    "no shuffle": ("pipelines.py", "        .shuffle(num_examples)\n", ""),
}


@pytest.fixture
def project(tmp_path):
    """A copy of the library, the settings, and the first half of the chapter."""
    for name in ("conftest.py", "pyproject.toml", "tests/nbval_sanitize.cfg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    notebook = nbformat.read(ROOT / "notebooks" / CHAPTER, as_version=4)
    [end] = [i for i, cell in enumerate(notebook.cells) if LAST_CELL in cell.source]
    notebook.cells = notebook.cells[: end + 1]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / CHAPTER)
    return tmp_path


def run_nbval(project):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "notebooks"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
    )


def alter(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_unaltered_copy_passes(project):
    finished = run_nbval(project)
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_altered_library_fails(project, alteration):
    name, old, new = ALTERATIONS[alteration]
    alter(project / "src" / "mnistlib" / name, old, new)
    finished = run_nbval(project)
    assert finished.returncode == 1
    assert "1 failed" in finished.stdout, finished.stdout
    assert "AssertionError" in finished.stdout


def test_an_altered_output_fails(project):
    alter(project / "notebooks" / CHAPTER, "10 classes", "11 classes")
    finished = run_nbval(project)
    assert finished.returncode == 1
    assert "1 failed" in finished.stdout, finished.stdout
