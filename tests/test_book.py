"""The site with a repository and an address, as it will be published."""

import json
import os
import re
import shutil
import subprocess
import sys
from html import escape, unescape
from pathlib import Path

import nbformat
import pytest
import set_repository

from mnistlib.results import MIME_TYPE, collect

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


def build(folder, **environment):
    """Build a copy of the book, with warnings as errors; return where its pages are."""
    for name in ("book", "notebooks", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    if "BOOK_REPOSITORY" in environment:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(set_repository, "ROOT", folder)
            assert set_repository.main([environment["BOOK_REPOSITORY"]]) == 0
    # One result on other digits, which the Results page must not show.
    path = folder / "notebooks" / f"{CHAPTERS[0]}.ipynb"
    path.write_text(path.read_text().replace('"data": "MNIST"', '"data": "other digits"'))
    names = ("BOOK_REPOSITORY", "BOOK_BASE_URL", "GITHUB_REPOSITORY")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    finished = subprocess.run(
        [
            Path(sys.executable).with_name("jupyter-book"),
            "build",
            ".",
            "-W",
            "--keep-going",
            "-n",
            "-q",
        ],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    status = {"date": "2026-01-02", "data": "MNIST", "device": "Some GPU", "versions": {}}
    status["chapters"] = {CHAPTERS[0]: {"seconds": 12.3, "failures": 0}}
    (folder / "_build" / "gpu").mkdir(parents=True)
    (folder / "_build" / "gpu" / "status.json").write_text(json.dumps(status))
    return build(
        folder,
        BOOK_REPOSITORY="some-one/some-book",
        BOOK_BASE_URL="https://example.org/mnist",
    )


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """As GitHub's runners build it before anybody ran ``make repository``."""
    return build(tmp_path_factory.mktemp("private"), GITHUB_REPOSITORY="some-one/some-book")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_buttons_point_at_the_chapter(published, chapter):
    html = (published / "notebooks" / f"{chapter}.html").read_text()
    colab = "https://colab.research.google.com/github/some-one/some-book/blob/main/"
    assert f"{colab}notebooks/{chapter}.ipynb" in html
    binder = "https://mybinder.org/v2/gh/some-one/some-book/main?urlpath=tree/"
    assert f"{binder}notebooks/{chapter}.ipynb" in html
    assert 'href="https://github.com/some-one/some-book"' in html
    assert "btn-fullscreen-button" in html
    assert "btn-download-source-button" in html


def test_a_published_page_has_its_address(published):
    html = (published / "book" / "results.html").read_text()
    assert '<meta property="og:url" content="https://example.org/mnist/book/results.html"' in html
    assert "https://example.org/mnist/book/results.html" in (published / "sitemap.xml").read_text()
    assert 'href="/mnist/_static/' in (published / "404.html").read_text()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_button_opens_a_chapter_that_cannot_install_the_library(private, chapter):
    html = (private / "notebooks" / f"{chapter}.html").read_text()
    assert "colab.research" not in html and "mybinder" not in html
    assert 'href="https://github.com/OWNER/REPOSITORY' not in html
    assert 'href="https://github.com/some-one/some-book"' in html
    assert "btn-download-source-button" in html


def test_the_results_page_shows_real_mnist_alone(private):
    html = (private / "book" / "results.html").read_text()
    results = html.split("<article")[1].split("</article")[0]
    assert f"notebooks/{CHAPTERS[0]}.html" not in results
    assert f"notebooks/{CHAPTERS[1]}.html" in results


def test_the_results_page_says_what_the_chapter_stored(private):
    notebook = nbformat.read(ROOT / "notebooks" / f"{CHAPTERS[1]}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    [stored] = [o.data[MIME_TYPE] for o in outputs if MIME_TYPE in o.get("data", {})]
    html = (private / "book" / "results.html").read_text()
    assert f"{stored['value']:.4f}" in html
    assert stored["label"] in html


def test_the_status_page_has_a_row_for_each_notebook(private):
    html = (private / "book" / "status.html").read_text().split("<article")[1]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        run = nbformat.read(path, as_version=4).metadata["run"]
        row = html.split(f"notebooks/{path.stem}.html")[1].split("</tr>")[0]
        assert run["date"] in row
        assert f"{run['seconds']:.0f} s" in row


def test_the_status_page_shows_a_run_on_a_gpu(published):
    html = (published / "book" / "status.html").read_text()
    assert "Some GPU" in html
    assert "12 s" in html


def ledger(folder):
    """The page's text, its apostrophes as they were written."""
    html = (folder / "book" / "ledger.html").read_text().split("<article")[1]
    return html.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def test_the_ledger_says_what_was_recorded(private):
    html = ledger(private)
    record = json.loads((ROOT / "benchmarks" / "ledger.json").read_bytes())
    for row in record["comparisons"]:
        cells = html.split(escape(row["name"], quote=False))[1].split("</tr>")[0]
        assert f"<p>{row['ratio']:.1f}</p>" in cells
        assert ("missed" in cells) == (row["ratio"] < row["aim"])
    for row in record["reproductions"]:
        cells = html.split(row["name"])[1].split("</tr>")[0]
        assert f"<p>{row['today']:.4f}</p>" in cells


def test_prices_come_from_the_chapters(private):
    text = unescape(re.sub(r"<[^>]+>", "", ledger(private)))

    def value(match):
        notebook = nbformat.read(ROOT / "notebooks" / f"{match[1]}.ipynb", as_version=4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        [glued] = [
            next(iter(output.data.values()))
            for output in outputs
            if output.get("metadata", {}).get("scrapbook", {}).get("name") == match[2]
        ]
        return glued

    role = re.compile(r"{recorded}`(\w+):([\w-]+)`")
    lines = (ROOT / "book" / "ledger.md").read_text().splitlines()
    prices = [line.split(" | ")[2] for line in lines if role.search(line)]
    assert len(prices) >= 8
    for price in prices:
        assert role.sub(value, price).replace("`", "") in text


def test_the_colab_page_names_the_versions(private):
    html = (private / "book" / "colab.html").read_text()
    for result in collect(ROOT / "notebooks"):
        for name, version in result.versions.items():
            assert f"<p>{name}</p>" in html
            assert f"<p>{version}</p>" in html
