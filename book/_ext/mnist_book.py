"""What this book asks of Sphinx beyond what extensions offer.

- What chapters and benchmarks recorded, in ``records.py``.
- Figures, links and terms made of a chapter's plain text, in ``plain_chapters.py`` and
  ``terms.py``.
- Alternative text of figures, from where ``mnistlib.figures.show`` stores it.
- No buttons that lead nowhere.
- The drawing pad and figures to try, where a page has them.
- Nothing from other hosts, and nothing that no page needs.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import plain_chapters
import records
import terms
from myst_nb.core.render import NbElementRenderer
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

from mnistlib.results import offered_mistakes

UNKNOWN_REPOSITORY = "OWNER/REPOSITORY"


def keep_alt_text() -> None:
    """Let myst-nb use the alternative text in an output's metadata.

    It takes width and height from there, but the text from the cell alone.
    """
    render_image = NbElementRenderer.render_image

    def render_image_with_alt(self, data):
        images = render_image(self, data)
        alt = data.output_metadata.get(data.mime_type, {}).get("alt")
        for image in images:
            if alt:
                image["alt"] = alt
        return images

    NbElementRenderer.render_image = render_image_with_alt


def drop_unknown_repository(app: Sphinx, config: Config) -> None:
    """Leave out buttons that would lead nowhere, until ``make repository`` has been run."""
    options = config.html_theme_options
    if options["repository_url"].endswith(UNKNOWN_REPOSITORY):
        options["use_repository_button"] = options["use_issues_button"] = False


def set_base_url(app: Sphinx, config: Config) -> None:
    """Write absolute addresses, for the 404 page, social cards and the sitemap."""
    base_url = os.environ.get("BOOK_BASE_URL", "").rstrip("/") + "/"
    # The server shows this page under any address, so its links can't be relative.
    config.notfound_urls_prefix = urlsplit(base_url).path
    if base_url == "/":
        return
    for extension in ("sphinx_sitemap", "sphinxext.opengraph"):
        app.setup_extension(extension)
    config.html_baseurl = config.ogp_site_url = base_url
    config.ogp_social_cards = {"enable": False}
    config.sitemap_url_scheme = "{link}"


def bring_scripts(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Load the drawing pad's scripts, and those of figures to try, on the pages that have them."""
    body = context.get("body", "")
    scripts = ["network.js", "pad.js"] if 'class="draw-pad"' in body else []
    notebook = Path(app.srcdir, f"{page}.ipynb")
    for mistakes in offered_mistakes(notebook) if notebook.is_file() else ():
        scripts.append("look.js")
        data = json.dumps(mistakes)
        context["body"] += f'<script type="application/json" class="look-images">{data}</script>'
    for script in scripts:
        app.add_js_file(script)
    if scripts:
        app.add_css_file("pad.css")


def leave_mocked_sources_unread(app: Sphinx, config: Config) -> None:
    """Keep autodoc from loading the frameworks that it mocks, to look into base classes."""
    for_module = ModuleAnalyzer.for_module

    def for_module_unless_mocked(name: str) -> ModuleAnalyzer:
        if name.partition(".")[0] in config.autodoc_mock_imports:
            raise PycodeError(f"{name} is mocked")
        return for_module(name)

    ModuleAnalyzer.for_module = for_module_unless_mocked


def drop_thebe(app: Sphinx) -> None:
    """Undo sphinx_thebe, which Jupyter Book always loads: its script is on another host."""
    for listeners in app.events.listeners.values():
        listeners[:] = [each for each in listeners if each.handler.__module__ != "sphinx_thebe"]
    files = app.registry.css_files
    files[:] = [(name, options) for name, options in files if name != "sphinx-thebe.css"]


def lighten(app: Sphinx, exception: Exception | None) -> None:
    """Leave out what no page needs: icons twice, and MathJax in all its forms."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in folder.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        # The theme's style sheet shows its icons already, as a font.
        lighter = re.sub(r"<script [^>]*/fontawesome/[^>]*></script>\n?", "", html)
        if lighter != html:
            path.write_text(lighter, encoding="utf-8")
    for path in (folder / "_static" / "mathjax").glob("*.js"):
        if path.name not in {"tex-chtml.js", "core.js", "loader.js", "startup.js"}:
            path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    for jobs in (records, plain_chapters, terms):
        jobs.setup(app)
    # Before the extensions that read these settings.
    app.connect("config-inited", drop_unknown_repository, priority=1)
    app.connect("config-inited", set_base_url, priority=1)
    app.connect("config-inited", leave_mocked_sources_unread)
    app.connect("html-page-context", bring_scripts)
    app.connect("build-finished", lighten)
    keep_alt_text()
    drop_thebe(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
