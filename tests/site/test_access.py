"""Can everybody read the site? axe-core's rules, keyboard, zoom, and what a page weighs."""

import base64
import gzip
import io
from itertools import pairwise

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from site_files import SITE

from mnistlib.figures import COLORS

MAX_PAGE_BYTES = 1_000_000
MAX_SITE_BYTES = 30_000_000
# What servers compress on the way.
TEXT = ("text/", "application/javascript", "application/json", "image/svg")


@pytest.fixture
def open_page(browser, site):
    """Open a page in a window of its own, in a light or dark scheme, without transitions."""
    contexts = []

    def open_page(path, width=1280, scheme="light", on_response=None):
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        if on_response:
            page.on("response", on_response)
        page.goto(f"{site}/{path}", wait_until="networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, page_path, scheme):
    page = open_page(page_path, scheme=scheme)
    violations = Axe().run(page).response["violations"]
    serious = [
        (violation["id"], node["target"], node["html"][:200])
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_belong_to_the_page(open_page, scheme):
    """Paper has the page's colour, and lines in the book's colours stand out from it."""
    page = open_page("notebooks/02_keras_tfds.html", scheme=scheme)
    swatches = Image.new("RGB", (20 * len(COLORS) + 20, 20), "white")
    for i, color in enumerate(COLORS):
        swatches.paste(color, (20 * i, 0, 20 * i + 20, 20))
    file = io.BytesIO()
    swatches.save(file, format="png")
    figure = page.locator("main div.cell_output figure img").first
    figure.evaluate(
        "(image, png) => { image.src = png; image.removeAttribute('style') }",
        "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(),
    )
    page.wait_for_timeout(200)
    seen = Image.open(io.BytesIO(figure.screenshot())).convert("RGB")
    *lines, paper = (seen.getpixel((20 * i + 10, 10)) for i in range(len(COLORS) + 1))
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == f"rgb{paper}"
    assert all(contrast(line, paper) >= 3 for line in lines)


def contrast(color, other):
    """As WCAG 2 defines it."""
    linear = np.array([color, other]) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (light + 0.05) / (dark + 0.05)


def test_headings_are_in_order(open_page, page_path):
    page = open_page(page_path)
    levels = page.eval_on_selector_all(
        "main :is(h1, h2, h3, h4, h5, h6)",
        "all => all.filter(each => each.checkVisibility()).map(each => +each.tagName[1])",
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_keyboard_reaches_everything(open_page, page_path):
    page = open_page(page_path)
    unreachable = page.eval_on_selector_all(
        "a[href], button, input, summary, [role=button]",
        "all => all.filter(each => each.checkVisibility() && each.tabIndex < 0)"
        ".map(each => each.outerHTML.slice(0, 200))",
    )
    assert unreachable == []


def test_the_first_key_leads_to_the_content(open_page, page_path):
    page = open_page(page_path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main-content"


def test_a_page_fits_at_twice_the_size(open_page, page_path):
    """A window of 1280 pixels at 200% is one of 640."""
    page = open_page(page_path, width=640)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_page_is_light_and_does_not_jump(open_page, page_path):
    sizes = {}

    def weigh(response):
        body = response.body() if response.ok else b""
        is_text = response.headers.get("content-type", "").startswith(TEXT)
        sizes[response.url] = len(gzip.compress(body) if is_text else body)

    page = open_page(page_path, on_response=weigh)
    shift = page.evaluate(
        """new Promise(resolve => {
            let shift = 0
            const add = list => list.getEntries().forEach(each => { shift += each.value })
            new PerformanceObserver(add).observe({type: "layout-shift", buffered: true})
            setTimeout(() => resolve(shift), 200)
        })"""
    )
    assert sum(sizes.values()) < MAX_PAGE_BYTES, sorted(sizes.items(), key=lambda item: -item[1])
    assert shift < 0.1


def test_the_site_is_small():
    total = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    assert total < MAX_SITE_BYTES
