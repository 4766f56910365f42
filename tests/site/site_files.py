"""Where the built site is, and which pages it has."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "_build" / "html"


def pages():
    """Return the address of every page, relative to the site's root."""
    found = (str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
    return sorted(path for path in found if not path.startswith("_static/"))
