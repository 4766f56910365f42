"""What the book asks of Sphinx, on a book of one chapter with the real settings."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from terms import Term, first_mentions

from mnistlib.results import VALUES_MIME_TYPE, Result, wilson_interval

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


NET = "[A \\*net\\*](/notebooks/01_first.ipynb)"


def stored(label, dataset="MNIST"):
    """Return a cell that shows a result."""
    result = Result(
        "01_first", label, "accuracy", 0.9739, wilson_interval(9_739, 10_000), dataset, 1.5
    )
    output = new_output("execute_result", result._repr_mimebundle_())
    return new_code_cell("result", outputs=[output])


OPENING = """# 1. First

[![Open in Colab](https://github.com/some/book/raw/main/book/_static/open-in-colab.svg)](https://colab)
[Download](https://github.com/some/book/raw/main/notebooks/01_first.ipynb)

It took 7.5<!--speed-up--> batches, a batch as in [a list](https://some.example/book/index.html)
and `code of epochs`. See Figure 1.1<!--fig-dot--> and chapter 2<!--02_second-->."""
BELOW = """**Figure 1.1<!--fig-dot-->.** A dot of an *epoch*.

## Epochs

Reading [all of an epoch](https://x.y) in one Epoch."""
GLOSSARY = """# Glossary

## batch

<span lang="zh-Hans">批次</span>. The *examples* of one [step](#epoch). Also *minibatch*.

## epoch

<span lang="zh-Hans">轮次</span>. One pass.
"""


def chapter():
    recorded = new_output("display_data", {VALUES_MIME_TYPE: {"speed-up": "7.5"}})
    shown = {"image/png": {"alt": "A black dot", "width": 10, "height": 10}}
    figure = new_output("display_data", {"image/png": PIXEL}, metadata=shown)
    return new_notebook(
        metadata={
            "run": {"date": "2026-01-02", "seconds": 12.3},
            "language_info": {"name": "python"},
        },
        cells=[
            new_markdown_cell(OPENING),
            new_code_cell("record(speed_up=7.5)", outputs=[recorded]),
            new_code_cell("show(figure)", outputs=[figure]),
            new_markdown_cell(BELOW),
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
    shutil.copy(ROOT / "_config.yml", folder)
    urls = 'Repository = "https://github.com/some/book"\nDocumentation = "https://some.example"'
    (folder / "pyproject.toml").write_text(f"[project.urls]\n{urls}\n")
    toc = {"format": "jb-book", "root": "book/index"}
    toc["chapters"] = [{"file": "notebooks/01_first"}, {"file": "notebooks/02_second"}]
    (folder / "_toc.yml").write_text(json.dumps(toc))
    toc["chapters"].append({"file": "book/glossary"})
    (folder / "book" / "index.md").write_text(INDEX)
    (folder / "book" / "glossary.md").write_text(GLOSSARY, "utf-8")
    (folder / "notebooks").mkdir()
    nbformat.write(chapter(), folder / "notebooks" / "01_first.ipynb")
    unrun = new_notebook(cells=[new_markdown_cell("# Second")])
    nbformat.write(unrun, folder / "notebooks" / "02_second.ipynb")
    return folder


@pytest.fixture(scope="module")
def pages(checkout):
    """The pages' text as published, by name."""
    published = {"BOOK_BASE_URL": "https://example.org/m"}
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


def test_a_notebook_s_absolute_links_are_the_site_s_own(pages):
    page = pages["01_first"]
    assert 'href="../book/index.html"' in page
    assert 'src="../_images/open-in-colab.svg"' in page
    assert re.search(r'download="" href="\.\./_downloads/\w+/01_first\.ipynb"', page)
    assert "github.com/some/book/raw" not in page and "some.example" not in page


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


def test_a_term_s_first_mention_has_its_definition(pages):
    """Not in code, links, headings or captions."""
    terms = re.findall(r'<span class="term">(.*?)</span></span>', pages["01_first"])
    words = [re.sub("<[^>]+>", "|", term) for term in terms]
    assert words == ["|batches||The examples of one step. Also minibatch.", "|Epoch||One pass."]
    for term, name in zip(terms, ("batch", "epoch"), strict=True):
        assert f'href="../book/glossary.html#{name}" aria-describedby="term-{name}"' in term
        assert f'role="tooltip" id="term-{name}"' in term


def test_terms_are_found_in_every_form_the_longest_first():
    terms = [Term(name, (), "") for name in ("set", "test set", "Adam", "probability")]
    texts = ["Test\nsets, subset, ADAM, set-up", "A set of Adam's probabilities"]
    found = [(i, match[0], term.name) for i, match, term in first_mentions(texts, terms)]
    assert found == [
        (0, "Test\nsets", "test set"),
        (1, "set", "set"),
        (1, "Adam", "Adam"),
        (1, "probabilities", "probability"),
    ]


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    return importlib.import_module


@pytest.fixture
def tables(extension):
    return extension("record_tables")


def test_the_results_are_those_on_real_mnist(tables, checkout):
    for table in (tables.results(checkout), tables.wrong_answers(checkout)):
        [row] = table.splitlines()[2:]
        assert row.startswith(f"| {NET} | 0.9739 | 0.9706 to 0.97")


def test_the_status_says_when_each_chapter_ran_and_what_ran_on_a_gpu(tables, checkout, tmp_path):
    first, second = tables.status(checkout).splitlines()[2:4]
    assert "[1. First](/notebooks/01_first.ipynb) | 2026-01-02 | 12 s | MNIST | CPU" in first
    assert "[Second](/notebooks/02_second.ipynb) | not yet run |  |" in second
    assert tables.status(checkout).endswith("No run on a GPU was at hand when this page was built.")
    status = {"date": "2026-01-02", "data": "MNIST", "device": "Some GPU", "versions": {"jax": "1"}}
    status["chapters"] = {"01_first": {"seconds": 12.3}}
    (tmp_path / "_build" / "gpu").mkdir(parents=True)
    (tmp_path / "_build" / "gpu" / "status.json").write_text(json.dumps(status))
    *_, row, _, note = tables.on_gpu(tmp_path).splitlines()
    assert (row, note) == ("| 01\\_first | 12 s |", "2026-01-02, Some GPU, MNIST, jax 1.")


def test_the_ledger_compares_what_was_recorded(tables, checkout):
    time = {"name": "a time", "unit": "s", "source": 12_345.6, "ours": 4_000.0, "aim": 3}
    time |= {"baseline": "source", "higher_is_better": False, "note": ""}
    rate = time | {"name": "a rate", "source": 2.0, "ours": 0.5, "higher_is_better": True}
    rate |= {"baseline": "the machine", "note": "why"}
    net = {"source": "S0", "printed": "0.97", "today": 0.98, "seconds": 3.2, "name": "A *net*"}
    record = {
        "date": "2026-01-02",
        "devices": ["CPU"],
        "versions": {},
        "comparisons": [time, rate],
        "reproductions": [net | {"chapter_label": label} for label in ("A *net*", "another")],
    }
    (checkout / "benchmarks").mkdir()
    (checkout / "benchmarks" / "ledger.json").write_text(json.dumps(record))
    assert tables.comparisons(checkout).splitlines()[2:4] == [
        "| a time | 12,300 | 4,000 | s | 3.1 | 3 | reached |",
        "| a rate | 2.00 | 0.500 | s | 0.2 | 3 | missed; the first is the machine; why |",
    ]
    assert tables.reproductions(checkout).splitlines()[2:4] == [
        f"| S0 | {NET} | 0.97 | 0.9800 | 0.9739 | 0.9706 to 0.9768 | 3 s |",
        "| S0 | A \\*net\\* | 0.97 | 0.9800 | not yet run |  | 3 s |",
    ]
