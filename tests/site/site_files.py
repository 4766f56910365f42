"""Where the built site is, which pages it has, and what a test does without it."""

import os
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "_build" / "html"


def pages():
    """Return the address of every page, relative to the site's root."""
    found = (str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
    return sorted(path for path in found if not path.startswith("_static/"))


@cache
def parsed(page):
    return BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")


def skip_or_fail(reason):
    """Nothing may be skipped where the checks count."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
