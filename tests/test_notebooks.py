"""The chapters as documents: what a reader, a learner and git get to see."""

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from mnistlib import callbacks, jax_cnn, jax_mlp, keras_models, pipelines, tf_softmax
from mnistlib.distributed import training
from mnistlib.draw import preparation
from mnistlib.results import collect
from mnistlib.tfrecord import framing

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_BYTES = 500_000
MAX_LINES = 20
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:tmp|root|home|Users|usr|var|opt|work|mnt)/[\w.-]")

# What a chapter teaches and the library keeps for later chapters.
TAUGHT = {
    "02_keras_tfds": [
        pipelines.scale,
        pipelines.training_pipeline,
        pipelines.evaluation_pipeline,
        keras_models.mlp,
        keras_models.compile_classifier,
    ],
    "03_input_pipelines": [keras_models.dropout_mlp],
    "04_callbacks": [callbacks.SeedEpochs, pipelines.resumable_pipeline],
    "06_low_level_tensorflow": [
        tf_softmax.Adam,
        tf_softmax.SoftmaxRegression,
        tf_softmax.make_batches,
        tf_softmax.train_epoch,
        tf_softmax.accuracy,
        tf_softmax.shuffle,
    ],
    "07_tfrecords": [
        framing.crc32c_table,
        framing.crc32c,
        framing.masked_crc32c,
        framing.frame,
    ],
    "08_cnn": [keras_models.cnn],
    "09_jax_from_scratch": [
        jax_mlp.random_layer_params,
        jax_mlp.init_params,
        jax_mlp.predict,
        jax_mlp.one_hot,
        jax_mlp.cross_entropy,
        jax_mlp.accuracy,
    ],
    "10_jax_full_speed": [
        jax_mlp.descend,
        jax_mlp.train_epoch,
    ],
    "11_jax_cnn": [
        jax_cnn.init_cnn,
        jax_cnn.conv,
        jax_cnn.cnn_logits,
        jax_cnn.cnn_loss,
        jax_cnn.adam_init,
        jax_cnn.adam_update,
        jax_cnn.one_cycle,
        jax_cnn.random_shift,
        jax_cnn.shifted_batch,
        jax_cnn.cnn_step,
        jax_cnn.shuffled_batches,
    ],
    "15_draw_a_digit": [
        preparation.crop,
        preparation.fit_box,
        preparation.resize,
        preparation.averaging,
        preparation.centre,
    ],
    "12_many_devices": [training.step],
}


def is_appendix(path):
    return path.stem.startswith("a")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def read_code(path):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


@pytest.fixture
def code_cells(path):
    return read_code(path)


def parsed(cell):
    """Return the syntax of a cell; its magics become calls."""
    return ast.parse(TransformerManager().transform_cell(cell.source))


def tags(cell):
    return cell.metadata.get("tags", [])


def test_it_is_a_valid_notebook_of_modest_size(path, notebook):
    nbformat.validate(notebook)
    assert path.stat().st_size < MAX_BYTES


def test_every_code_cell_was_run_in_order(code_cells):
    assert [cell.execution_count for cell in code_cells] == list(range(1, len(code_cells) + 1))


def test_no_cell_ended_in_an_unexpected_error_or_holds_stderr(code_cells):
    for cell in code_cells:
        for output in cell.outputs:
            assert output.get("name") != "stderr", cell.source
            if output.output_type == "error":
                assert "raises-exception" in tags(cell), cell.source


def test_no_machine_shows(path):
    assert not MACHINE_PATH.findall(path.read_text(encoding="utf-8"))


def test_every_figure_has_the_text_of_its_source(code_cells):
    """Outputs aren't compared by their metadata, so a changed text could stay unseen."""
    for cell in code_cells:
        figures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        stored = [output.metadata["image/png"]["alt"] for output in figures]
        keywords = (node for node in ast.walk(parsed(cell)) if isinstance(node, ast.keyword))
        assert stored == [each.value.value for each in keywords if each.arg == "alt"], cell.source


def test_cells_fit_a_screen(code_cells):
    for cell in code_cells:
        lines = [line for line in cell.source.splitlines() if not line.startswith("# @title")]
        assert len(lines) <= MAX_LINES, cell.source


def test_a_sentence_stands_before_each_cell(notebook):
    """Two code cells may follow each other when the first only defines."""
    for previous, cell in pairwise(notebook.cells):
        if previous.cell_type == cell.cell_type == "code":
            assert not previous.outputs or "remove-cell" in tags(cell), cell.source


def test_all_chapters_have_the_same_setup_cell_which_comes_first_and_pins_nothing():
    [_] = {setup_cells(path)[0].source for path in NOTEBOOKS}
    for source in {cell.source for path in NOTEBOOKS for cell in setup_cells(path)}:
        assert "==" not in source and "if find_spec(" in source
        assert max(map(len, source.splitlines())) <= 78


def setup_cells(path):
    cells = read_code(path)
    assert "%pip" in cells[0].source
    return [cell for cell in cells if "%pip" in cell.source]


@pytest.mark.parametrize("installed", [True, False])
def test_the_setup_cell_installs_only_what_is_missing(monkeypatch, installed):
    ran = []

    class Shell:
        def run_line_magic(self, *magic):
            ran.append(magic)

    if not installed:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    [setup] = setup_cells(NOTEBOOKS[0])
    exec(TransformerManager().transform_cell(setup.source), {"get_ipython": Shell})
    assert [name for name, _ in ran] == ([] if installed else ["pip"])
    assert all("mnist-book @ git+https://github.com/" in line for _, line in ran)


def test_it_records_its_result(path):
    chapters = [result.chapter for result in collect(path.parent)]
    assert (path.stem in chapters) != is_appendix(path)


def test_it_has_the_parts_of_a_chapter_and_an_assertion_stands_with_the_result(path, notebook):
    if is_appendix(path):
        return
    text = "\n".join(cell.source for cell in notebook.cells)
    parts = re.split("^## (Setup|The result|Exercises|Summary|References)$", text, flags=re.M)
    assert parts[1::2] == ["Setup", "The result", "Exercises", "Summary", "References"]
    assert re.search(r"^ *assert .*(accuracy|value)", parts[4], re.MULTILINE)


def without_decoration(tree):
    """Drop docstrings and annotations, in which a chapter may be briefer."""
    for node in ast.walk(tree):
        for annotation in {"annotation", "returns"} & {*node._fields}:
            setattr(node, annotation, ast.Constant(None))
        if isinstance(node, DEFINITIONS) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


def meanings(trees):
    """What each name stands for at the top level: a definition, a value, or an import."""
    found = {}
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, DEFINITIONS):
            found[node.name] = ast.dump(without_decoration(node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.dump(node.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for each in node.names:
                found[each.asname or each.name] = module + each.name
    return found


def names_in(function):
    """The function's name, and those that it uses."""
    tree = without_decoration(ast.parse(inspect.getsource(function)))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used | {function.__name__}


@pytest.mark.parametrize(
    ("chapter", "function"),
    [(chapter, function) for chapter, taught in TAUGHT.items() for function in taught],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_library_does_what_the_chapter_teaches(chapter, function):
    """The same code, and the constants and imports that it uses are the same, too."""
    module = inspect.getmodule(function)
    in_chapter = meanings(map(parsed, read_code(ROOT / "notebooks" / f"{chapter}.ipynb")))
    in_library = meanings([ast.parse(inspect.getsource(module))])
    for name in names_in(function) & in_library.keys():
        # What an earlier chapter taught is imported from the library.
        assert in_chapter[name] in (in_library[name], f"{module.__name__}.{name}"), name
