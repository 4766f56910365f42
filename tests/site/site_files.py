"""Where the built site is, which pages it has, and what a test does without it."""

import os
from functools import cache
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "_build" / "html"


def pages():
    """Return the address of every page to read, relative to the site's root."""
    found = {str(path.relative_to(SITE)) for path in SITE.rglob("*.html")}
    return sorted(path for path in found - moved().keys() if not path.startswith("_static/"))


@cache
def moved():
    """Return the addresses of pages that have moved, and where each leads."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    redirects = config["sphinx"]["config"]["redirects"]
    return {f"{old}.html": new for old, new in redirects.items()}


@cache
def parsed(page):
    return BeautifulSoup((SITE / page).read_text(encoding="utf-8"), "html.parser")


def skip_or_fail(reason):
    """Nothing may be skipped where the checks count."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
