"""What the book asks of Sphinx, on a book of one chapter with the real settings."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mnistlib.results import Result, wilson_interval

ROOT = Path(__file__).resolve().parent.parent
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
INDEX = """
# A book

[First](../notebooks/01_first.ipynb) took {recorded}`01_first:speed-up` times as long.

```{chapter-figure} 01_first fig-dot
A dot.
```

```{status}
```
"""


def stored(label, dataset="MNIST"):
    """Return a cell that shows a result."""
    result = Result(
        "01_first", label, "accuracy", 0.9739, wilson_interval(9_739, 10_000), dataset, 1.5
    )
    output = new_output("execute_result", result._repr_mimebundle_())
    return new_code_cell("result", outputs=[output])


def chapter():
    glued = new_output(
        "display_data",
        {"application/papermill.record/text/plain": "7.5"},
        metadata={"scrapbook": {"name": "speed-up"}},
    )
    shown = {"image/png": {"alt": "A black dot", "width": 10, "height": 10}}
    figure = new_output("display_data", {"image/png": PIXEL}, metadata=shown)
    drawn = new_code_cell("show(figure)", outputs=[figure])
    drawn.metadata["mystnb"] = {"figure": {"name": "fig-dot", "caption": "A dot."}}
    return new_notebook(
        metadata={
            "run": {"date": "2026-01-02", "seconds": 12.3},
            "language_info": {"name": "python"},
        },
        cells=[
            new_markdown_cell("# First\n\nSee [the figure](#fig-dot)."),
            new_code_cell("glue('speed-up', 7.5)", outputs=[glued]),
            drawn,
            stored("A *net*"),
            stored("Another net", dataset="other digits"),
        ],
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A book of a chapter that was run and one that wasn't."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("book/_ext", "book/_static", "book/_extra"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("book/references.bib", "_config.yml"):
        shutil.copy(ROOT / name, folder / name)
    toc = {"format": "jb-book", "root": "book/index"}
    toc["chapters"] = [{"file": "notebooks/01_first"}, {"file": "notebooks/02_second"}]
    (folder / "_toc.yml").write_text(json.dumps(toc))
    (folder / "book" / "index.md").write_text(INDEX)
    (folder / "notebooks").mkdir()
    nbformat.write(chapter(), folder / "notebooks" / "01_first.ipynb")
    unrun = new_notebook(cells=[new_markdown_cell("# Second")])
    nbformat.write(unrun, folder / "notebooks" / "02_second.ipynb")
    return folder


@pytest.fixture(scope="module")
def pages(checkout):
    """The pages' text as published, by name."""
    published = {"BOOK_REPOSITORY": "some-one/some-book", "BOOK_BASE_URL": "https://example.org/m"}
    program = Path(sys.executable).with_name("jupyter-book")
    finished = subprocess.run(
        [program, "build", ".", "-W", "--keep-going", "-n", "-q"],
        cwd=checkout,
        env={**os.environ, **published},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    site = checkout / "_build" / "html"
    return {path.stem: path.read_text("utf-8") for path in site.rglob("*.*ml")}


def test_the_buttons_of_a_published_chapter_lead_to_it(pages):
    for address in (
        "https://colab.research.google.com/github/some-one/some-book/blob/main/notebooks/01_first.ipynb",
        "https://mybinder.org/v2/gh/some-one/some-book/main?urlpath=tree/notebooks/01_first.ipynb",
        "https://github.com/some-one/some-book",
    ):
        assert f'href="{address}"' in pages["01_first"]
    assert "btn-fullscreen-button" in pages["01_first"]
    assert "btn-download-source-button" in pages["01_first"]


def test_a_published_page_has_its_address(pages):
    address = "https://example.org/m/notebooks/01_first.html"
    assert f'<meta property="og:url" content="{address}"' in pages["01_first"]
    assert address in pages["sitemap"]
    assert 'href="/m/_static/' in pages["404"]


def test_what_a_chapter_stored_is_on_other_pages(pages):
    text = re.sub(r"<[^>]+>", "", pages["index"])
    assert "First took 7.5 times as long" in text
    figure = pages["index"].split('<img alt="A black dot"')[1].split("</figure>")[0]
    assert PIXEL in figure and "<p>A dot.</p>" in figure
    assert re.search(r"Second\s+not yet run", text)


def test_a_chapter_s_figures_have_texts_and_numbers(pages):
    assert '<img alt="A black dot"' in pages["01_first"]
    assert re.search('href="#fig-dot">Figure 1</a>', pages["01_first"])


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    import mnist_book

    return mnist_book


@pytest.mark.parametrize(
    ("environment", "in_setup_cell", "url", "repository_button", "launch_buttons"),
    [
        ({}, "OWNER/REPOSITORY", "OWNER/REPOSITORY", False, {}),
        ({"GITHUB_REPOSITORY": "a/b"}, "OWNER/REPOSITORY", "a/b", True, {}),
        ({"GITHUB_REPOSITORY": "a/b", "BOOK_REPOSITORY": "c/d"}, "c/d", "c/d", True, {"colab": 1}),
    ],
    ids=["no repository", "before make repository", "published"],
)
def test_no_button_leads_nowhere(
    extension,
    monkeypatch,
    tmp_path,
    environment,
    in_setup_cell,
    url,
    repository_button,
    launch_buttons,
):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_first.ipynb").write_text(f"pip install git+{in_setup_cell}")
    for name in ("GITHUB_REPOSITORY", "BOOK_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = {
        "repository_url": "https://github.com/OWNER/REPOSITORY",
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {"colab": 1},
    }
    config = SimpleNamespace(html_theme_options=options)
    extension.set_repository(SimpleNamespace(srcdir=tmp_path), config)
    assert options["repository_url"] == f"https://github.com/{url}"
    assert options["use_repository_button"] == options["use_issues_button"] == repository_button
    assert options["launch_buttons"] == launch_buttons


@pytest.fixture
def tables(extension):
    import record_tables

    return record_tables


def test_the_results_are_those_on_real_mnist(tables, checkout):
    for table in (tables.results(checkout), tables.wrong_answers(checkout)):
        [row] = table.splitlines()[2:]
        assert row.startswith(
            "| [A \\*net\\*](/notebooks/01_first.ipynb) | 0.9739 | 0.9706 to 0.97"
        )


def test_the_status_says_when_each_chapter_ran(tables, checkout):
    first, second = tables.status(checkout).splitlines()[2:4]
    assert "[First](/notebooks/01_first.ipynb) | 2026-01-02 | 12 s | MNIST | CPU" in first
    assert "[Second](/notebooks/02_second.ipynb) | not yet run |  |" in second


def test_the_status_shows_a_run_on_a_gpu(tables, tmp_path):
    status = {"date": "2026-01-02", "data": "MNIST", "device": "Some GPU", "versions": {"jax": "1"}}
    status["chapters"] = {"01_first": {"seconds": 12.3}}
    assert tables.on_gpu(tmp_path).startswith("No run on a GPU")
    (tmp_path / "_build" / "gpu").mkdir(parents=True)
    (tmp_path / "_build" / "gpu" / "status.json").write_text(json.dumps(status))
    table = tables.on_gpu(tmp_path)
    assert "| 01\\_first | 12 s |" in table
    assert table.endswith("2026-01-02, Some GPU, MNIST, jax 1.")


def test_the_ledger_compares_what_was_recorded(tables, checkout):
    def compared(name, source, ours, **others):
        row = {"name": name, "unit": "s", "source": source, "ours": ours, "aim": 3, "note": ""}
        return row | {"baseline": "source", "higher_is_better": False} | others

    record = {
        "date": "2026-01-02",
        "devices": ["CPU"],
        "versions": {},
        "comparisons": [
            compared("a time", 12_345.6, 4_000.0),
            compared("a rate", 2.0, 0.5, higher_is_better=True, baseline="the machine", note="why"),
        ],
        "reproductions": [
            {"source": "S0", "printed": "0.97", "today": 0.98, "seconds": 3.2, "name": name}
            | {"chapter_label": name}
            for name in ("A *net*", "of no chapter")
        ],
    }
    (checkout / "benchmarks").mkdir()
    (checkout / "benchmarks" / "ledger.json").write_text(json.dumps(record))
    time, rate = tables.comparisons(checkout).splitlines()[2:4]
    assert time == "| a time | 12,300 | 4,000 | s | 3.1 | 3 | reached |"
    assert rate == "| a rate | 2.00 | 0.500 | s | 0.2 | 3 | missed; the first is the machine; why |"
    known, unknown = tables.reproductions(checkout).splitlines()[2:4]
    net = "[A \\*net\\*](/notebooks/01_first.ipynb)"
    assert known == f"| S0 | {net} | 0.97 | 0.9800 | 0.9739 | 0.9706 to 0.9768 | 3 s |"
    assert unknown == "| S0 | of no chapter | 0.97 | 0.9800 | not yet run |  | 3 s |"
