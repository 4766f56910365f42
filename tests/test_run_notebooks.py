"""The runner: what it removes, when it writes, and when it doesn't."""

import nbformat
import pytest
import run_notebooks
from nbformat.v4 import new_code_cell, new_notebook, new_output


def write(path, *sources, tags=()):
    cells = [new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    for cell in cells:
        cell.metadata["tags"] = list(tags)
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.ipynb"


def run(*paths):
    return run_notebooks.main([str(path) for path in paths])


def test_outputs_are_normalised(path):
    noisy = "import sys; print('a', flush=True); print('noise', file=sys.stderr); print('b')"
    write(path, noisy, "print('1/2\\b\\b\\b2/2\\rdone')")
    assert run(path) == 0
    notebook = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert [cell.id for cell in notebook.cells] == ["cell-0", "cell-1"]
    assert [[output.text for output in cell.outputs] for cell in notebook.cells] == [
        ["a\nb\n"],
        ["done\n"],
    ]
    assert "execution" not in notebook.cells[0].metadata
    assert set(notebook.metadata) == {"kernelspec", "language_info", "run"}
    assert notebook.metadata["run"]["seconds"] > 0


def test_a_second_run_changes_nothing(path):
    write(path, "import time\nprint(f'{time.perf_counter_ns()} ms')", "print('same')")
    assert run(path) == 0
    first = path.read_bytes()
    assert run(path) == 0
    assert path.read_bytes() == first


def test_a_changed_result_is_written(path):
    write(path, "print('before')")
    assert run(path) == 0
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].outputs[0].text = "another result\n"
    nbformat.write(notebook, path)
    assert run(path) == 0
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "before\n"


def test_ignored_outputs_alone_are_no_reason_to_write(path):
    write(path, "import time\nprint(time.time_ns())", tags=["nbval-ignore-output"])
    assert run(path) == 0
    first = path.read_bytes()
    assert run(path) == 0
    assert path.read_bytes() == first


def test_other_words_in_an_ignored_output_are_written(path):
    write(path, "import time\nprint('before', time.time_ns())", tags=["nbval-ignore-output"])
    assert run(path) == 0
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = notebook.cells[0].source.replace("before", "after")
    nbformat.write(notebook, path)
    assert run(path) == 0
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text.startswith("after")


def test_what_is_no_notebook_is_named(tmp_path, capsys):
    (tmp_path / "bad.ipynb").write_text("not json")
    assert run(tmp_path / "bad.ipynb") == 1
    assert "bad.ipynb" in capsys.readouterr().err


def test_nothing_is_written_when_one_chapter_fails(tmp_path, capsys):
    good = write(tmp_path / "good.ipynb", "print('good')")
    bad = write(tmp_path / "bad.ipynb", "raise ValueError('on purpose')")
    before = good.read_bytes(), bad.read_bytes()
    assert run(good, bad) == 1
    assert (good.read_bytes(), bad.read_bytes()) == before
    assert "on purpose" in capsys.readouterr().err


def test_a_missing_chapter_is_named(tmp_path, capsys):
    assert run(tmp_path / "nowhere.ipynb") == 1
    assert "nowhere.ipynb" in capsys.readouterr().err


def test_neighbouring_streams_are_merged_across_other_outputs():
    stream = [new_output("stream", text=text) for text in ("1 ", "2 ", "3")]
    figure = new_output("display_data", {"text/plain": "figure"})
    merged = run_notebooks.merge_streams([stream[0], stream[1], figure, stream[2]])
    assert [output.get("text") for output in merged] == ["1 2 ", None, "3"]
