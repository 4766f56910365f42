"""The runner: what it asks for, what it removes, when it writes, and how it stops."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import run_notebooks
from nbformat.v4 import new_code_cell, new_notebook


def write(path, *sources, tags=()):
    cells = [new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    for cell in cells:
        cell.metadata["tags"] = list(tags)
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.ipynb"


@pytest.fixture
def run(monkeypatch):
    """Run notebooks that need no digits."""
    monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
    monkeypatch.setattr(run_notebooks, "load", lambda: None)
    return lambda *paths: run_notebooks.main([str(path) for path in paths])


def test_without_mnist_nothing_runs(path, no_data_dir, monkeypatch, capsys):
    monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
    before = write(path, "print('ran')").read_bytes()
    assert run_notebooks.main([str(path)]) == 1
    assert path.read_bytes() == before
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("nothing ran, because the chapters' outputs are of MNIST.\n")


def test_outputs_are_of_mnist_and_normalised(run, path):
    noisy = "import sys; print('a', flush=True); print('noise', file=sys.stderr); print('b')"
    source = "import os; print(os.environ['MNISTLIB_SOURCE'])"
    write(path, noisy, "print('1/2\\r2/2\\rdone')", source)
    assert run(path) == 0
    notebook = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3]
    assert [cell.id for cell in notebook.cells] == ["cell-0", "cell-1", "cell-2"]
    texts = [[output.text for output in cell.outputs] for cell in notebook.cells]
    assert texts == [["a\nb\n"], ["done\n"], ["mnist\n"]]
    assert "execution" not in notebook.cells[0].metadata
    assert set(notebook.metadata) == {"kernelspec", "language_info", "run"}
    assert notebook.metadata["run"]["seconds"] > 0


CLOCK = "import time; print('before', time.perf_counter_ns(), 'ms')"
RECORDED = """import time; from mnistlib.results import record
record(a=f"{time.perf_counter_ns()} ms"); print('before')"""


@pytest.mark.parametrize(
    ("source", "tags"), [(CLOCK, ()), (CLOCK, ("nbval-ignore-output",)), (RECORDED, ())]
)
def test_only_more_than_timings_is_written(run, path, source, tags):
    write(path, source, tags=tags)
    assert run(path) == 0
    first = path.read_bytes()
    assert run(path) == 0
    assert path.read_bytes() == first
    path.write_bytes(first.replace(b"print('before'", b"print('after'"))
    assert run(path) == 0
    [output] = [each for each in nbformat.read(path, 4).cells[0].outputs if "text" in each]
    assert output.text.startswith("after")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (new_notebook(cells=[new_code_cell("raise ValueError('on purpose')")]), "on purpose"),
        ("not json", "bad.ipynb"),
        (None, "bad.ipynb"),
    ],
    ids=["failing", "no notebook", "missing"],
)
def test_nothing_is_written_when_a_chapter_cannot_run(
    run, path, tmp_path, capsys, content, message
):
    before = write(path, "print('good')").read_bytes()
    bad = tmp_path / "bad.ipynb"
    if content:
        bad.write_text(content if isinstance(content, str) else nbformat.writes(content))
    assert run(path, bad) == 1
    assert path.read_bytes() == before
    assert message in capsys.readouterr().err


def test_ctrl_c_ends_the_running_chapter_and_starts_no_other(path, tmp_path):
    pid = tmp_path / "pid"
    slow = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    write(path, slow)
    queued = write(tmp_path / "queued.ipynb", f"open({str(tmp_path / 'started')!r}, 'w')")
    program = (
        "import sys, run_notebooks; run_notebooks.load = lambda: None;"
        "sys.exit(run_notebooks.main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--jobs", "1", path, queued],
        env={**os.environ, "PYTHONPATH": str(Path(run_notebooks.__file__).parent)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (pid.is_file() and pid.read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "nothing was written" in errors and "Traceback" not in errors
    assert not (tmp_path / "started").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
