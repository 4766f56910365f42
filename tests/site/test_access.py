"""Can everybody read the site? axe-core's rules, keyboard, zoom, and what a page weighs."""

import base64
import gzip
import io
from itertools import pairwise
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from site_files import SITE

from mnistlib.figures import COLORS

MAX_PAGE_BYTES = 1_000_000
MAX_SITE_BYTES = 30_000_000
# What servers compress on the way.
TEXT = {".html", ".css", ".js", ".json", ".svg"}


@pytest.mark.parametrize("window", ["desktop", "dark"])
def test_axe_finds_nothing_serious(opened, window):
    # Without its own requests for style sheets, some at addresses that don't exist.
    violations = Axe().run(opened(window).page, options={"preload": False}).response["violations"]
    serious = [
        (violation["id"], node["target"], node["html"][:200])
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_belong_to_the_page(desktop_reader, scheme):
    """Paper has the page's colour, and lines in the book's colours stand out from it."""
    desktop_reader.page.emulate_media(color_scheme=scheme)
    page = desktop_reader.open("notebooks/02_keras_tfds.html")
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


def test_headings_are_in_order(opened):
    levels = opened("desktop").page.eval_on_selector_all(
        "main :is(h1, h2, h3, h4, h5, h6)",
        "all => all.filter(each => each.checkVisibility()).map(each => +each.tagName[1])",
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_keyboard_reaches_everything(opened):
    unreachable = opened("desktop").page.eval_on_selector_all(
        "a[href], button, input, summary, [role=button]",
        "all => all.filter(each => each.checkVisibility() && each.tabIndex < 0)"
        ".map(each => each.outerHTML.slice(0, 200))",
    )
    assert unreachable == []


def test_the_first_key_leads_to_the_content(opened):
    page = opened("dark").page  # where no other test presses keys
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main-content"


def weight(url):
    """Return the bytes of one of the site's files, from a server that compresses text."""
    file = SITE / unquote(urlsplit(url).path).lstrip("/")
    content = file.read_bytes()
    return len(gzip.compress(content) if file.suffix in TEXT else content)


def test_a_page_is_light_and_does_not_jump(opened):
    reader = opened("desktop")
    sizes = {each.url: weight(each.url) for each in reader.responses if each.ok}
    shift = reader.page.evaluate(
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
