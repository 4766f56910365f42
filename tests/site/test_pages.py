"""What the built site's pages say, read from their files. ``make test-site`` builds it first."""

import posixpath
import re
from urllib.parse import unquote

import nbformat
import pytest
from site_files import ROOT, SITE, pages, parsed

from mnistlib.results import collect

PROSE = ("index", "results", "ledger", "sources", "status", "glossary", "colab", "api", "about")
NOTEBOOKS = [page for page in pages() if page.startswith("notebooks/")]
CHAPTERS = [page for page in NOTEBOOKS if re.match(r"notebooks/\d", page)]


def text(tag):
    return " ".join(tag.get_text().split())


def test_all_pages_are_there():
    expected = {f"notebooks/{path.stem}.html" for path in (ROOT / "notebooks").glob("*.ipynb")}
    expected |= {f"book/{name}.html" for name in PROSE}
    assert expected | {"index.html", "404.html", "search.html"} <= set(pages())


@pytest.mark.parametrize("page", pages())
def test_a_page_has_an_icon_texts_for_pictures_and_nothing_of_other_hosts(page):
    soup = parsed(page)
    # Without an icon a browser asks for /favicon.ico, now and then.
    assert soup.select("link[rel~=icon]")
    assert [img for img in soup.select("main img") if len(img.get("alt", "").split()) < 2] == []
    loaded = soup.select("script[src], img[src], link[rel=stylesheet][href]")
    addresses = [tag.get("src") or tag["href"] for tag in loaded]
    assert [each for each in addresses if re.match(r"(https?:)?//", each)] == []
    assert "unpkg" not in str(soup)


@pytest.mark.parametrize("page", pages())
def test_links_within_the_site_lead_somewhere(page):
    for link in {a["href"] for a in parsed(page).select("a[href]")}:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, target = unquote(link).partition("#")
        path = path.partition("?")[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        file = file.lstrip("/") if path != "/" else "index.html"
        assert (SITE / file).is_file(), link
        if target and file.endswith(".html"):
            assert parsed(file).find(id=target), link


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_shows_its_outputs(page):
    path = ROOT / page.replace(".html", ".ipynb")
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    num_figures = sum("image/png" in output.get("data", {}) for output in outputs)
    results = [result for result in collect(path.parent) if result.chapter == path.stem]
    main = parsed(page).main
    assert len(main.select(".cell_output img")) == num_figures > 0
    assert len(main.select("table.result")) == len(results) > 0
    # Solutions are there, and shut until asked for.
    exercises = main.select("section[id^=exercise-]")
    assert len(exercises) >= 4
    assert all(each.select("details:not([open])") for each in exercises)
    assert "@title" not in main.get_text()


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_figures_are_numbered_and_referred_to(page):
    main = parsed(page).main
    assert "<!--" not in str(main.article)
    captions = [text(each) for each in main.select("figure .caption-number")]
    number = re.match(r"notebooks/0*(\w+?)_", page)[1].upper()
    assert captions and captions == [f"Figure {number}.{i + 1}." for i in range(len(captions))]
    links = main.select("p a[href^='#fig-']:not(.headerlink)")
    assert {f"{text(link)}." for link in links} == set(captions)


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_terms_have_definitions_and_no_marker_is_left(page):
    article = parsed(page).article
    terms = article.select(".term")
    assert len(terms) >= 5
    for term in terms:
        assert term.a["aria-describedby"] == term.select_one("[role=tooltip]")["id"]
    assert "<!--" not in str(article)


def test_the_landing_page_shows_what_the_book_is():
    main = parsed("book/index.html").main
    assert len(main.select("section#the-path a.reference.internal")) == len(CHAPTERS)
    results = [each for each in collect(ROOT / "notebooks") if each.dataset == "MNIST"]
    assert len(main.select("table svg.mistakes")) == len(results) > 0
    # Which the test of links follows.
    assert {a["href"].rpartition(".")[2] for a in main.select("a[href*=downloads]")} == {
        "epub",
        "pdf",
        "zip",
    }
