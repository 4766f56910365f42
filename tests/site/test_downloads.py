"""The downloads of the built site, opened and read."""

import io
import json
import posixpath
import zipfile
from typing import NamedTuple
from xml.etree import ElementTree

import nbformat
import pytest
import yaml
from pypdf import PdfReader
from site_files import ROOT, SITE, skip_or_fail

from mnistlib.results import collect

NAME = "five-ways-to-train-on-mnist"
XHTML = "{http://www.w3.org/1999/xhtml}"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RAW_MARKUP = ("{glue:text}", "{numref}", "{term}", "\\(", "\\[", "```")


def titles():
    """Return each chapter's title as its notebook has it."""
    for path in NOTEBOOKS:
        first = nbformat.read(path, as_version=4).cells[0].source
        yield first.splitlines()[0].removeprefix("# ")


def straight(text):
    """Undo Sphinx's quotes."""
    return text.replace("\u2019", "'")


def download(suffix):
    path = SITE / "downloads" / f"{NAME}{suffix}"
    if not path.is_file():
        skip_or_fail("no downloads: run make book")
    return io.BytesIO(path.read_bytes())


@pytest.fixture(scope="module")
def epub():
    with zipfile.ZipFile(download(".epub")) as archive:
        yield archive


@pytest.fixture(scope="module")
def documents(epub):
    """Every page of the EPUB by its path; parsing fails where one isn't well-formed."""
    names = [name for name in epub.namelist() if name.endswith(".xhtml")]
    return {name: ElementTree.fromstring(epub.read(name)) for name in names}


@pytest.fixture(scope="module")
def pdf():
    return PdfReader(download(".pdf"))


class Run(NamedTuple):
    """Some characters of the PDF, and where they end if all are as wide as code's."""

    text: str
    is_code: bool
    end: float


@pytest.fixture(scope="module")
def runs(pdf):
    found = []

    def add(text, _, matrix, font, size):
        is_code = bool(font) and "DejaVuSansMono" in font["/BaseFont"]
        found.append(Run(text, is_code, matrix[4] + 0.602 * size * len(text.rstrip())))

    for page in pdf.pages:
        page.extract_text(visitor_text=add)
    return found


def prose(document):
    """Return a page's text without its code, which may hold anything."""
    for parent in document.iter():
        for code in parent.findall(f"{XHTML}pre") + parent.findall(f"{XHTML}code"):
            code.text, code[:] = "", []
    return "".join(document.itertext())


def test_the_epub_says_first_what_it_is(epub):
    first = epub.infolist()[0]
    assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
    assert epub.read(first) == b"application/epub+zip"


def test_the_epub_s_pictures_have_texts(documents):
    texts = [
        image.get("alt", "") for page in documents.values() for image in page.iter(f"{XHTML}img")
    ]
    assert len(texts) >= 20
    assert [text for text in texts if len(text.split()) < 2] == []


def test_the_epub_s_links_lead_somewhere(epub, documents):
    names = set(epub.namelist())
    ids = {name: {each.get("id") for each in page.iter()} for name, page in documents.items()}
    links = [
        (name, link.get("href"))
        for name, page in documents.items()
        for link in page.iter(f"{XHTML}a")
        if link.get("href") and not link.get("href").startswith(("http:", "https:", "mailto:"))
    ]
    assert len(links) > 300
    for name, href in links:
        path, _, fragment = href.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        assert target in names, (name, href)
        assert not fragment or fragment in ids[target], (name, href)


def test_the_epub_s_contents_name_every_chapter(documents):
    contents = straight("".join(documents["EPUB/nav.xhtml"].itertext()))
    for title in titles():
        assert title in contents


def test_the_epub_has_every_result(documents):
    text = "".join("".join(page.itertext()) for page in documents.values())
    results = collect(ROOT / "notebooks")
    assert results
    for result in results:
        assert f"{result.value:.4f}" in text


def test_the_epub_shows_no_markup(epub):
    for name in epub.namelist():
        if name.endswith(".xhtml"):
            text = prose(ElementTree.fromstring(epub.read(name)))
            assert [raw for raw in RAW_MARKUP if raw in text] == [], name


def test_the_pdf_says_what_it_is(pdf):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    catalog = pdf.trailer["/Root"]
    assert pdf.metadata.title == config["title"]
    assert pdf.metadata.author == config["author"]
    assert catalog["/Lang"] == "en"
    assert catalog["/MarkInfo"]["/Marked"]
    assert b"pdfuaid:part" in catalog["/Metadata"].get_data()
    assert 120 < len(pdf.pages) < 320


def test_the_pdf_s_outline_names_every_chapter(pdf):
    def flat(outline):
        for entry in outline:
            yield from flat(entry) if isinstance(entry, list) else [entry.title]

    outline = straight("\n".join(flat(pdf.outline)))
    for title in titles():
        assert title in outline


def test_the_pdf_shows_results_and_no_markup(runs):
    text = "".join(run.text for run in runs)
    for result in collect(ROOT / "notebooks"):
        assert f"{result.value:.4f}" in text
    prose = "".join(run.text for run in runs if not run.is_code)
    raw = [*RAW_MARKUP, "#spoken", "#picture", "terms.item"]
    assert [each for each in raw if each in prose] == []


def test_no_code_runs_off_the_pdf_s_pages(pdf, runs):
    ends = [run.end for run in runs if run.is_code]
    assert len(ends) > 5_000
    margin = 22.5 / 25.4 * 72
    assert max(ends) < float(pdf.pages[0].mediabox.right) - margin


def test_the_zip_has_the_notebooks_as_they_are():
    with zipfile.ZipFile(download("-notebooks.zip")) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".ipynb")}
        assert packed == {f"{NAME}/{path.name}" for path in NOTEBOOKS}
        for path in NOTEBOOKS:
            content = archive.read(f"{NAME}/{path.name}")
            assert content == path.read_bytes()
            assert json.loads(content)["cells"]
        assert "jupyter lab" in archive.read(f"{NAME}/README.txt").decode()
