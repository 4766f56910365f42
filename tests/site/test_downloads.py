"""The downloads of the built site, opened and read."""

import io
import posixpath
import re
import zipfile
from xml.etree import ElementTree

import nbformat
import pytest
from pypdf import PdfReader
from site_files import ROOT, SITE, skip_or_fail

from mnistlib.results import collect

NAME = "five-ways-to-train-on-mnist"
XHTML = "{http://www.w3.org/1999/xhtml}"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def assert_is_the_book(contents, text):
    assert all(f"{result.value:.4f}" in text for result in collect(ROOT / "notebooks"))
    contents = contents.replace("\u2019", "'")  # Sphinx's quotes
    for path in NOTEBOOKS:
        first = nbformat.read(path, as_version=4).cells[0].source
        assert first.splitlines()[0].removeprefix("# ") in contents


def download(suffix):
    path = SITE / "downloads" / f"{NAME}{suffix}"
    if not path.is_file():
        skip_or_fail("no downloads: run make book")
    return io.BytesIO(path.read_bytes())


@pytest.fixture(scope="module")
def epub_pages():
    """Every page of the EPUB by its path; parsing fails where one isn't well-formed."""
    with zipfile.ZipFile(download(".epub")) as archive:
        names = [name for name in archive.namelist() if name.endswith(".xhtml")]
        return {name: ElementTree.fromstring(archive.read(name)) for name in names}


def test_the_epub_s_links_lead_somewhere(epub_pages):
    ids = {name: [each.get("id") for each in page.iter("*")] for name, page in epub_pages.items()}
    links = [
        (name, link.get("href"))
        for name, page in epub_pages.items()
        for link in page.iter(f"{XHTML}a")
        if not re.match("https?:|mailto:", link.get("href", "http:"))
    ]
    assert len(links) > 300
    for name, href in links:
        path, _, target = href.partition("#")
        page = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        assert ids[page].count(target) == 1 if target else page in ids, (name, href)


def test_the_epub_is_the_book(epub_pages):
    text = "".join("".join(page.itertext()) for page in epub_pages.values())
    assert_is_the_book("".join(epub_pages["EPUB/nav.xhtml"].itertext()), text)


def test_the_pdf_is_the_book_and_no_code_runs_off_its_pages():
    pdf = PdfReader(download(".pdf"))
    ends = []

    def add(text, _, matrix, font, size):
        if font and "DejaVuSansMono" in font["/BaseFont"]:
            ends.append(matrix[4] + 0.602 * size * len(text.rstrip()))

    text = "".join(page.extract_text(visitor_text=add) for page in pdf.pages)
    assert_is_the_book("\n".join(titles(pdf.outline)), text)
    assert 120 < len(pdf.pages) < 450
    margin = 22.5 / 25.4 * 72
    assert len(ends) > 5_000
    assert max(ends) < float(pdf.pages[0].mediabox.right) - margin


def titles(outline):
    for entry in outline:
        yield from titles(entry) if isinstance(entry, list) else [entry.title]
