"""The chapters as documents: what a reader, a learner and git get to see."""

import ast
import contextlib
import inspect
import re
import symtable
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from mnistlib import jax_cnn, jax_mlp, keras_models, pipelines, tf_softmax
from mnistlib.results import collect
from mnistlib.tfrecord import framing

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_BYTES = 500_000
MAX_LINES = 20
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
    "03_input_pipelines": [
        keras_models.dropout_mlp,
        pipelines.element_bytes,
        pipelines.build_pipeline,
    ],
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
        jax_mlp.numpy_init_params,
    ],
    "11_jax_cnn": [
        jax_cnn.init_cnn,
        jax_cnn.conv,
        jax_cnn.cnn_logits,
        jax_cnn.cnn_loss,
        jax_cnn.adam_init,
        jax_cnn.adam_update,
        jax_cnn.one_cycle,
        jax_cnn.random_roll,
        jax_cnn.cnn_step,
        jax_cnn.shuffled_batches,
    ],
}


def is_appendix(path):
    return path.stem.startswith("a")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def test_there_are_chapters():
    assert not all(map(is_appendix, NOTEBOOKS))


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


def test_every_figure_says_what_it_shows(code_cells):
    for cell in code_cells:
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt.split()) >= 5, cell.source


def test_the_text_of_a_figure_is_that_of_its_source(code_cells):
    """Outputs aren't compared by their metadata, so a changed text could stay unseen."""
    for cell in code_cells:
        if "figures.show(" not in cell.source:
            continue
        calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
        written = [
            keyword.value.value
            for call in calls
            for keyword in call.keywords
            if keyword.arg == "alt"
        ]
        stored = [
            output.metadata["image/png"]["alt"]
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ]
        assert stored == written


def test_cells_fit_a_screen(code_cells):
    for cell in code_cells:
        lines = [line for line in cell.source.splitlines() if not line.startswith("# @title")]
        assert len(lines) <= MAX_LINES, cell.source


def test_a_sentence_stands_before_each_cell(notebook):
    """Two code cells may follow each other when the first only defines."""
    previous = None
    for cell in notebook.cells:
        if cell.cell_type == "code" and previous is not None and previous.cell_type == "code":
            assert not previous.outputs or "remove-cell" in tags(cell), cell.source
        previous = cell


def test_it_has_the_parts_of_a_chapter(path, notebook):
    if is_appendix(path):
        return
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for part in ("# ", "## Setup", "## The result", "## Exercises", "## Summary", "## References"):
        assert re.search(rf"^{part}", text, re.MULTILINE), part


def test_there_is_one_setup_cell_that_pins_nothing(code_cells):
    installing = [cell for cell in code_cells if "%pip" in cell.source]
    assert installing == code_cells[:1]
    assert 'find_spec("mnistlib") is None' in installing[0].source
    assert "mnist-book @ git+https://github.com/" in installing[0].source
    assert "==" not in installing[0].source
    assert max(map(len, installing[0].source.splitlines())) <= 78


def test_one_chapters_setup_cell_is_that_of_all():
    """So what one of them installs in Colab, all do."""
    notebooks = [nbformat.read(path, as_version=4) for path in NOTEBOOKS]
    sources = {c.source for notebook in notebooks for c in notebook.cells if "%pip" in c.source}
    assert len(sources) == 1


@pytest.mark.parametrize("installed", [True, False])
def test_the_setup_cell_installs_only_what_is_missing(code_cells, monkeypatch, installed):
    [setup] = [cell.source for cell in code_cells if "%pip" in cell.source]
    ran = []

    class Shell:
        def run_line_magic(self, name, line):
            ran.append((name, line))

    if not installed:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(TransformerManager().transform_cell(setup), {"get_ipython": Shell})
    assert [name for name, _ in ran] == ([] if installed else ["pip"])


def test_it_records_its_result(path):
    chapters = [result.chapter for result in collect(path.parent)]
    assert (path.stem in chapters) != is_appendix(path)


def test_an_assertion_stands_with_the_result(path, notebook):
    """Between the headings of the result and of the exercises."""
    if is_appendix(path):
        return
    sources = [cell.source for cell in notebook.cells]
    start, end = (
        next(i for i, source in enumerate(sources) if f"\n## {heading}" in f"\n{source}")
        for heading in ("The result", "Exercises")
    )
    assert any(
        re.search(r"^ *assert .*(accuracy|value)", cell.source, re.MULTILINE)
        for cell in notebook.cells[start:end]
        if cell.cell_type == "code"
    )


DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


def without_decoration(tree):
    """Drop docstrings and annotations, in which a chapter may be briefer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.args, *node.args.kwonlyargs, node.args.kwarg):
                if argument:
                    argument.annotation = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(node, DEFINITIONS) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def statements(cells):
    """The statements of a chapter's cells, without magics."""
    found = []
    for cell in cells:
        source = "\n".join(line for line in cell.source.splitlines() if "%pip" not in line)
        with contextlib.suppress(SyntaxError):  # the setup cell, whose body was a magic
            found += ast.parse(source).body
    return found


def meanings(statements):
    """What each name stands for at the top level: a definition, a value, or an import."""
    found = {}
    for node in statements:
        if isinstance(node, DEFINITIONS):
            found[node.name] = without_decoration(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.dump(node.value)
        elif isinstance(node, ast.Import):
            for each in node.names:
                found[each.asname or each.name.split(".")[0]] = each.name
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                found[each.asname or each.name] = f"{node.module}.{each.name}"
    return found


def names_in(function):
    """The global names that a function or class uses, annotations left out."""
    tree = ast.parse(inspect.getsource(function))
    without_decoration(tree)
    table = symtable.symtable(ast.unparse(tree), "code", "exec")
    tables = [table]
    for each in tables:
        tables += each.get_children()
    return {symbol.get_name() for each in tables for symbol in each.get_symbols()}


@pytest.mark.parametrize(
    ("chapter", "function"),
    [(chapter, function) for chapter, taught in TAUGHT.items() for function in taught],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_library_does_what_the_chapter_teaches(chapter, function):
    """The same code, and the constants and imports that it uses are the same, too."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)
    module = inspect.getmodule(function)
    in_chapter = meanings(statements(c for c in notebook.cells if c.cell_type == "code"))
    in_library = meanings(ast.parse(inspect.getsource(module)).body)
    for name in names_in(function) & in_library.keys():
        # What an earlier chapter taught is imported from the library.
        assert in_chapter[name] in (in_library[name], f"{module.__name__}.{name}"), name
