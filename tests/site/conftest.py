"""A server for the built site, and a browser to read it with."""

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright
from site_files import SITE, pages, skip_or_fail

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
WINDOWS = {
    "desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "zoomed": {"viewport": {"width": 640, "height": 400}},  # the desktop's at 200%
    "phone": {"viewport": PHONE},
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without the last four a browser asks its maker's hosts for things of its own.
BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_generate_tests(metafunc):
    if "page_path" in metafunc.fixturenames:
        # For the session, so that all tests of a page follow each other.
        metafunc.parametrize("page_path", pages(), scope="session")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site():
    """The address of the built site on a server of its own."""
    if not (SITE / "index.html").is_file():
        skip_or_fail("the site isn't built: run make book")
    handler = functools.partial(Quiet, directory=SITE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        skip_or_fail("no Chromium here: on Debian, apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=BROWSER_OPTIONS)
        yield browser
        browser.close()


class Reader:
    """A page in a browser, and what went wrong while it was read."""

    def __init__(self, page, site):
        self.page, self.site = page, site
        self.complaints, self.foreign, self.responses = [], [], []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._on_request)
        page.on("response", lambda response: self.responses.append(response))

    def open(self, path):
        self.page.goto(f"{self.site}/{path}", wait_until="networkidle")
        if path == "index.html":  # leads on to the landing page
            self.page.wait_for_url("**/book/index.html", wait_until="networkidle")
        return self.page

    @property
    def failed(self):
        return [f"{each.status} {each.url}" for each in self.responses if each.status >= 400]

    def _on_console(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _on_request(self, request):
        if not request.url.startswith((self.site, "data:", "blob:")):
            self.foreign.append(request.url)


@pytest.fixture(scope="session")
def opened(browser, site, page_path):
    """Open the page in one of ``WINDOWS``, once for all tests that only look at it."""
    readers = {}

    def opened(window):
        if window not in readers:
            # Without transitions, which axe might look at halfway.
            context = browser.new_context(**WINDOWS[window], reduced_motion="reduce")
            readers[window] = Reader(context.new_page(), site)
            readers[window].open(page_path)
        return readers[window]

    yield opened
    for reader in readers.values():
        reader.page.context.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def reader(request, browser, site):
    """A reader with a new browser profile, at a desk and on a phone."""
    context = browser.new_context(viewport=request.param)
    yield Reader(context.new_page(), site)
    context.close()


@pytest.fixture
def desktop_reader(browser, site):
    context = browser.new_context(viewport=DESKTOP)
    yield Reader(context.new_page(), site)
    context.close()
