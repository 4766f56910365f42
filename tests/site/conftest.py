"""A server for the built site, and a browser to read it with."""

import functools
import shutil
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright
from site_files import SITE, skip_or_fail

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
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


@pytest.fixture(autouse=True)
def built():
    if not (SITE / "index.html").is_file():
        skip_or_fail("the site isn't built: run make book")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site():
    """The address of the built site on a server of its own."""
    handler = functools.partial(Quiet, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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
        self.trouble = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    def open(self, path):
        self.page.goto(f"{self.site}/{path}", wait_until="networkidle")
        if path == "index.html":  # leads on to the landing page
            self.page.wait_for_url("**/book/index.html", wait_until="networkidle")
        return self.page

    def _on_console(self, message):
        if message.type in {"error", "warning"}:
            self.trouble.append(f"{message.text} ({message.location['url']})")

    def _on_request(self, request):
        if not request.url.startswith((self.site, "data:", "blob:")):
            self.trouble.append(request.url)

    def _on_response(self, response):
        if response.status >= 400:
            self.trouble.append(f"{response.status} {response.url}")


@pytest.fixture
def new_reader(browser, site):
    """Makes readers with a new browser profile; options as of Playwright's contexts."""

    @contextmanager
    def new_reader(**options):
        context = browser.new_context(**{"viewport": DESKTOP} | options)
        yield Reader(context.new_page(), site)
        context.close()

    return new_reader


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def reader(request, new_reader):
    """A reader at a desk and on a phone, who must come across no trouble."""
    with new_reader(viewport=request.param) as reader:
        yield reader
        assert reader.trouble == []
