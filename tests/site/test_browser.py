"""The site in a browser: it loads in peace, everybody can read it, and it does what it offers."""

import io

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from site_files import moved, pages

from conftest import PHONE

ZOOMED = {"width": 640, "height": 400}  # the desktop's window at 200%
RULES_ON_HEADINGS = {"heading-order", "page-has-heading-one"}
RULES_ON_COLOR = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}


@pytest.mark.parametrize("path", pages())
def test_a_page_is_fit_to_read(new_reader, path):
    # Without transitions, which axe might look at halfway.
    with new_reader(color_scheme="light", reduced_motion="reduce") as reader:
        page = reader.open(path)
        faults = {
            "title": not page.title(),
            "console, other hosts, failed requests": reader.trouble,
            "jumps while it loads": layout_shift(page) > 0.1,
            "out of the keyboard's reach": unreachable(page),
            "the first key leads elsewhere than to the content": first_link(page),
            "axe": serious_violations(page),
        }
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        faults["axe in the dark"] = serious_violations(page, runOnly=RULES_ON_COLOR)
        for window in (ZOOMED, PHONE):
            page.set_viewport_size(window)
            too_wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
            faults[f"wider than {window['width']}"] = too_wide
    assert {name: found for name, found in faults.items() if found} == {}


def serious_violations(page, **options):
    # Without its own requests for style sheets, some at addresses that don't exist.
    options |= {"preload": False, "resultTypes": ["violations"]}
    return [
        (violation["id"], node["target"], node["html"][:200])
        for violation in Axe().run(page, options=options).response["violations"]
        if violation["impact"] in {"serious", "critical"} or violation["id"] in RULES_ON_HEADINGS
        for node in violation["nodes"]
    ]


def unreachable(page):
    return page.eval_on_selector_all(
        "a[href], button, input, summary, [role=button]",
        "all => all.filter(each => each.checkVisibility() && each.tabIndex < 0)"
        ".map(each => each.outerHTML.slice(0, 200))",
    )


def first_link(page):
    page.keyboard.press("Tab")
    href = page.evaluate("document.activeElement.getAttribute('href')")
    return None if href == "#main-content" else href or "nowhere"


def layout_shift(page):
    return page.evaluate(
        """new Promise(resolve => {
            let shift = 0
            const add = list => list.getEntries().forEach(each => { shift += each.value })
            new PerformanceObserver(add).observe({type: "layout-shift", buffered: true})
            setTimeout(() => resolve(shift), 200)
        })"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_paper_of_figures_has_the_page_s_colour(new_reader, scheme):
    with new_reader(color_scheme=scheme) as reader:
        page = reader.open("notebooks/02_keras_tfds.html")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        figure = page.locator("main div.cell_output figure img").first.screenshot()
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    paper = Image.open(io.BytesIO(figure)).convert("RGB").getpixel((2, 2))
    assert background == f"rgb{paper}"


def test_a_term_shows_its_definition_on_focus_and_on_hover(new_reader):
    with new_reader() as reader:
        page = reader.open("notebooks/02_keras_tfds.html")
        first, second = (page.locator(".term").nth(i) for i in range(2))
        definitions = [each.locator("[role=tooltip]") for each in (first, second)]
        first.locator("a").focus()
        assert [each.is_visible() for each in definitions] == [True, False]
        first.locator("a").blur()
        second.hover()
        assert [each.is_visible() for each in definitions] == [False, True]


@pytest.mark.parametrize(("old", "new"), moved().items())
def test_an_old_address_leads_to_the_chapter_that_has_moved(new_reader, old, new):
    with new_reader() as reader:
        reader.page.goto(f"{reader.site}/{old}#exercises")
        reader.page.wait_for_url(f"**/notebooks/{new}#exercises")
        assert reader.page.locator("section#exercises").count() == 1


def test_search_finds_a_word(reader):
    page = reader.open("search.html?q=Wilson")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() >= 2


def test_the_menu_leads_to_a_chapter_with_mathematics(reader):
    page = reader.open("book/index.html")
    if page.viewport_size["width"] < 768:
        page.locator("button.primary-toggle, label.primary-toggle").first.click()
    link = page.locator(".bd-sidebar-primary nav a", has_text="The dataset").first
    link.wait_for(state="visible")
    link.click()
    page.wait_for_url("**/01_dataset.html")
    page.wait_for_selector("mjx-container mjx-math")
    assert page.locator("button.copybtn").count() > 20
