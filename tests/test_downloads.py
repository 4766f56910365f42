"""``tools/make_downloads.py`` on the small book: what it keeps, drops and refuses."""

import io
import re
import shutil
import zipfile

import make_downloads
import pytest
from pypdf import PdfReader

from mnistlib.errors import MnistError


@pytest.fixture
def site(small_book, tmp_path, monkeypatch):
    """A copy of the small book's site that may be changed."""
    shutil.copytree(
        small_book, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("_static", ".*")
    )
    monkeypatch.setattr(make_downloads, "ROOT", tmp_path)
    return tmp_path / "_build" / "html"


def change(site, page, old, new):
    path = site / f"{page}.html"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def make(site):
    assert make_downloads.main([str(site)]) == 0
    return {path.suffix: path.read_bytes() for path in (site / "downloads").iterdir()}


@pytest.fixture
def downloads(site):
    return make(site)


def test_only_another_site_is_made_anew_and_the_same_one_gives_the_same_bytes(
    site, downloads, capsys
):
    assert sorted(downloads) == [".epub", ".pdf", ".zip"]
    capsys.readouterr()
    assert make(site) == downloads and capsys.readouterr().out == ""
    (site / "downloads" / f"{make_downloads.NAME}.pdf").unlink()
    assert make(site) == downloads
    change(site, "notebooks/01_first", "A dot of", "A point of")
    changed = make(site)
    assert changed[".epub"] != downloads[".epub"] and changed[".pdf"] != downloads[".pdf"]


def test_the_zip_is_one_folder_with_the_notebooks_and_how_to_run_them(site, downloads):
    with zipfile.ZipFile(io.BytesIO(downloads[".zip"])) as archive:
        readme, first, _ = archive.namelist()
        assert first == f"{make_downloads.NAME}/01_first.ipynb"
        notebook = site.parent.parent / "notebooks" / "01_first.ipynb"
        assert archive.read(first) == notebook.read_bytes()
        assert b"git+https://github.com/some/book" in archive.read(readme)


def test_the_epub_has_what_the_pages_have(downloads):
    with zipfile.ZipFile(io.BytesIO(downloads[".epub"])) as archive:
        chapter, _, words = (archive.read(f"EPUB/text/ch00{i}.xhtml").decode() for i in (2, 3, 5))
        package = archive.read("EPUB/content.opf").decode()
    for shown in ("Five ways to train on MNIST", "2026-01-02", "First took 7.5 times as long."):
        assert f">{shown}<" in package
    assert chapter.count("<math") == 2
    assert re.search('<img [^>]*width="10"[^>]* alt="A black dot"', chapter)
    assert re.search(r"<th[^>]*>Accuracy</th>\s*<td[^>]*>0.9739", chapter)
    for shown in (
        "<title>1. First</title>",
        '<pre class="output"><code>number',
        'class="sourceCode python"',
        "Figure 1.1. A dot of",
        "Solution",
        'href="ch005.xhtml#page-glossary--batch"',
    ):
        assert shown in chapter
    for left_over in ("headerlink", "Copy", "menu", "index.html", "Hide", "\\(", "<!--"):
        assert left_over not in chapter
    for shown in ('id="page-glossary--batch"', '<span lang="zh-Hans"', "<dt>"):
        assert shown in words


def test_the_pdf_has_what_the_pages_have(downloads):
    pdf = PdfReader(io.BytesIO(downloads[".pdf"]))
    catalog = pdf.trailer["/Root"]
    assert pdf.metadata.title == "Five ways to train on MNIST"
    assert pdf.metadata.author == "The mnist-book authors"
    assert catalog["/Lang"] == "en" and catalog["/MarkInfo"]["/Marked"]
    assert b"pdfuaid" in catalog["/Metadata"].get_data()
    assert {"A black dot", "a < b_1"} <= set(alternative_texts(catalog["/StructTreeRoot"]))
    text = "\n".join(page.extract_text() for page in pdf.pages)
    for shown in ("1. First", "Figure 1.1. A dot of", "0.9739", "批次", "↪"):
        assert shown in text
    for raw in ("\\(", "\\frac", "#spoken", "terms.item"):
        assert raw not in text


def alternative_texts(element):
    """Yield what a screen reader says instead of pictures and formulas."""
    if "/Alt" in element:
        yield element["/Alt"]
    children = element.get("/K", [])
    for child in children if isinstance(children, list) else [children]:
        child = child.get_object()
        if hasattr(child, "keys"):
            yield from alternative_texts(child)


@pytest.mark.parametrize(
    ("page", "old", "new", "message"),
    [
        ("notebooks/01_first", "#batch", "#gone", "nowhere: page-glossary--gone"),
        ("book/glossary", "批次", "龘", "README.md says how to add it"),
        ("book/glossary", "bd-article", "other", "no article with a heading"),
        ("book/glossary", None, None, "run make book"),
        ("index", None, None, "run make book"),
    ],
    ids=["a lost link", "a missing character", "no article", "no page", "no site"],
)
def test_what_cannot_be_a_book_is_refused(site, capsys, page, old, new, message):
    if old:
        change(site, page, old, new)
    else:
        (site / f"{page}.html").unlink()
    assert make_downloads.main([str(site)]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (site / "downloads").exists()


def test_chapters_of_which_none_was_run_are_refused(site):
    (site.parent.parent / "notebooks" / "01_first.ipynb").unlink()
    with pytest.raises(MnistError, match="run make notebooks"):
        make_downloads.describe(site, "book/index")
