"""The built site, as a browser shows it. ``make test-site`` builds it first."""

import json
import re
from urllib.parse import unquote

import nbformat
import pytest
from site_files import ROOT, SITE, pages

from mnistlib.results import collect

PROSE = ("index", "results", "ledger", "sources", "status", "glossary", "colab", "api", "about")
CHAPTERS = [page for page in pages() if re.match(r"notebooks/\d", page)]
NOTEBOOKS = [page for page in pages() if page.startswith("notebooks/")]


def test_all_pages_are_there():
    expected = {f"notebooks/{path.stem}.html" for path in (ROOT / "notebooks").glob("*.ipynb")}
    expected |= {f"book/{name}.html" for name in PROSE}
    assert expected | {"index.html", "404.html", "search.html"} <= set(pages())


@pytest.mark.parametrize("window", ["desktop", "phone"])
def test_a_page_loads_in_peace(opened, window):
    reader = opened(window)
    assert reader.page.title()
    assert reader.complaints == []
    assert reader.foreign == []
    assert reader.failed == []


def test_every_picture_has_a_text(opened):
    page = opened("desktop").page
    texts = page.eval_on_selector_all("main img", "images => images.map(image => image.alt)")
    assert all(len(text.split()) >= 2 for text in texts), texts


@pytest.mark.parametrize("window", ["phone", "zoomed"])
def test_a_page_is_no_wider_than_the_screen(opened, window):
    page = opened(window).page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_page_names_its_icon(page_path):
    """Without one a browser asks for /favicon.ico, now and then."""
    html = (SITE / page_path).read_text(encoding="utf-8")
    assert re.search(r'<link rel="(shortcut )?icon" ', html)


def test_no_page_names_a_script_or_style_of_another_host(page_path):
    html = (SITE / page_path).read_text(encoding="utf-8")
    loaded = re.findall(r'<(?:script|img)[^>]+src="(https?:[^"]+)"', html)
    loaded += re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="(https?:[^"]+)"', html)
    assert loaded == []
    assert "unpkg" not in html


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_shows_its_outputs(desktop_reader, chapter):
    path = ROOT / chapter.replace(".html", ".ipynb")
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    num_figures = sum("image/png" in output.get("data", {}) for output in outputs)
    results = [result for result in collect(path.parent) if result.chapter == path.stem]
    assert num_figures and results
    page = desktop_reader.open(chapter)
    assert page.locator(".cell_output img").count() == num_figures
    assert page.locator("table.result").count() == len(results)
    assert not re.search(r"{\w+(:\w+)?}`", page.inner_text("main"))
    # Solutions are there, and shut until asked for.
    solutions = page.locator("details, .toggle.admonition, .admonition.solution")
    assert solutions.count() >= 3


@pytest.mark.parametrize("chapter", NOTEBOOKS)
def test_figures_are_numbered_and_referred_to(desktop_reader, chapter):
    page = desktop_reader.open(chapter)
    captions = page.locator("main figure .caption-number").all_inner_texts()
    number = re.match(r"notebooks/0*(\d+)_", chapter)
    before = f"Figure {number[1]}." if number else "Figure "
    expected = [f"{before}{i}" for i in range(1, len(captions) + 1)]
    assert expected and [text.strip() for text in captions] == expected
    links = page.locator("main p a[href^='#fig-']:not(.headerlink)").all_inner_texts()
    assert set(links) == {text.strip() for text in captions}


def test_links_within_the_site_lead_somewhere(opened, site):
    links = opened("desktop").page.eval_on_selector_all(
        "a[href]", "all => all.map(each => each.href)"
    )
    here = [link for link in links if link.startswith(site)]
    for link in set(here):
        path, _, target = link.removeprefix(f"{site}/").partition("#")
        file = SITE / unquote(path.partition("?")[0] or "index.html")
        assert file.is_file(), link
        if target and file.suffix == ".html":
            assert f'id="{unquote(target)}"' in file.read_text(encoding="utf-8"), link


def test_the_landing_page_shows_what_the_book_is(reader):
    page = reader.open("book/index.html")
    start = page.locator("main a", has_text="Start with the dataset")
    picture = page.locator("main figure img")
    for each in (start, picture):
        box = each.bounding_box()
        assert box["y"] + box["height"] < page.viewport_size["height"]
    path = page.locator("main ol a").all_inner_texts()
    assert len(path) == len(CHAPTERS)
    results = [each for each in collect(ROOT / "notebooks") if each.data == "MNIST"]
    drawn = page.locator("main table svg.mistakes")
    assert drawn.count() == len(results)
    for link in ("epub", "pdf", "zip"):
        href = page.locator(f"main a[href$='.{link}']").get_attribute("href")
        assert page.request.get(f"{reader.site}/book/{href}").ok


def test_mathematics_is_set(desktop_reader):
    page = desktop_reader.open("notebooks/01_dataset.html")
    page.wait_for_selector("mjx-container mjx-math")


def test_the_results_page_shows_every_result(desktop_reader):
    page = desktop_reader.open("book/results.html")
    text = page.inner_text("main")
    results = collect(ROOT / "notebooks")
    assert results
    for result in results:
        assert f"{result.value:.4f}" in text
        assert str(result.interval) in text
    for link in page.eval_on_selector_all("main table a", "links => links.map(a => a.href)"):
        assert desktop_reader.page.request.get(link).ok


def test_search_finds_a_word(reader):
    page = reader.open("search.html?q=Wilson")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() >= 2


def test_the_menu_leads_to_a_chapter(reader):
    page = reader.open("book/index.html")
    if page.viewport_size["width"] < 768:
        page.locator("button.primary-toggle, label.primary-toggle").first.click()
    link = page.locator(".bd-sidebar-primary nav a", has_text="Keras with TFDS").first
    link.wait_for(state="visible")
    link.click()
    page.wait_for_url("**/02_keras_tfds.html")
    assert reader.complaints == []


def test_the_theme_can_be_switched_and_stays(reader):
    page = reader.open("notebooks/02_keras_tfds.html")
    seen = set()
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == {"light", "dark"}
    mode = page.evaluate("document.documentElement.dataset.mode")
    page.reload(wait_until="networkidle")
    assert page.evaluate("document.documentElement.dataset.mode") == mode


def test_code_can_be_copied(desktop_reader):
    page = desktop_reader.open("notebooks/01_dataset.html")
    assert page.locator("button.copybtn").count() > 20


def test_a_chapter_can_be_downloaded(desktop_reader):
    page = desktop_reader.open("notebooks/01_dataset.html")
    link = page.locator("a.btn-download-source-button").first.get_attribute("href")
    response = page.request.get(f"{desktop_reader.site}/notebooks/{link}")
    assert json.loads(response.text())["cells"]
