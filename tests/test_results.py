"""Intervals against SciPy's, and results there and back through a notebook."""

import dataclasses

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from mnistlib import FileFormatError, MnistError
from mnistlib.results import (
    MIME_TYPE,
    VALUES_MIME_TYPE,
    Result,
    collect,
    record,
    recorded,
    wilson_interval,
)


def test_the_interval_is_wilsons_and_counts_that_make_no_sense_are_refused():
    # R's prop.test(9739, 10000, correct = FALSE) gives the same.
    assert wilson_interval(9_739, 10_000) == pytest.approx((0.97058, 0.97684), abs=1e-5)
    for arguments in (-1, 10), (11, 10), (0, 0):
        with pytest.raises(MnistError, match="no interval"):
            wilson_interval(*arguments)


@pytest.fixture
def result():
    return Result(
        chapter="02_some",
        label="A <network>",
        metric="test accuracy",
        value=0.9739,
        interval=wilson_interval(9_739, 10_000),
        dataset="MNIST",
        seconds=12.3,
        parameters={"epochs": 6},
        source_value=0.9,
    )


def notebook_with(*results):
    bundles = [result._repr_mimebundle_() for result in results]
    outputs = [nbformat.v4.new_output("display_data", bundle) for bundle in bundles]
    cell = nbformat.v4.new_code_cell("result", outputs=outputs)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text"), cell])


def test_a_result_survives_a_notebook(tmp_path, result):
    nbformat.write(notebook_with(result, result), tmp_path / "02_some.ipynb")
    nbformat.write(notebook_with(), tmp_path / "01_none.ipynb")
    assert collect(tmp_path) == [result, result]


def test_the_table_shows_the_interval_and_escapes_html(result):
    html = result._repr_mimebundle_()["text/html"]
    for text in "0.9739 (95% interval 0.9706 to 0.9768)", "A &lt;network&gt;", "epochs 6", "0.9000":
        assert text in html


@pytest.mark.parametrize("damage", ["not json", '{"cells": [{"outputs": 3}]}', None])
def test_a_damaged_notebook_is_named(tmp_path, result, damage):
    notebook = notebook_with(result)
    del notebook.cells[1].outputs[0].data[MIME_TYPE]["value"]
    (tmp_path / "03_bad.ipynb").write_text(damage or nbformat.writes(notebook))
    with pytest.raises(FileFormatError, match=r"03_bad\.ipynb.*make notebooks"):
        collect(tmp_path)


def test_an_unknown_framework_is_refused(result):
    with pytest.raises(MnistError, match="framework='abacus'"):
        dataclasses.replace(result, framework="abacus")


def test_recorded_values_are_read_back_and_nothing_is_shown(tmp_path):
    InteractiveShell.instance()
    with capture_output(stdout=False, stderr=False) as captured:
        record(test_accuracy="97.3%", epochs=6)
        record(device="CPU")
    outputs = [nbformat.v4.new_output("display_data", each.data) for each in captured.outputs]
    assert [set(output.data) for output in outputs] == [{VALUES_MIME_TYPE}] * 2
    cell = nbformat.v4.new_code_cell("record()", outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "01_some.ipynb")
    expected = {"test-accuracy": "97.3%", "epochs": "6", "device": "CPU"}
    assert recorded(tmp_path / "01_some.ipynb") == expected
