"""What this book asks of Sphinx beyond what extensions offer.

- What chapters and benchmarks recorded, in ``records.py``.
- Alternative text of figures, from where ``mnistlib.figures.show`` stores it.
- The number of a figure in the links to it.
- The repository's address for the buttons, from the environment.
- Nothing from other hosts, and nothing that no page needs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import records
from docutils import nodes
from myst_nb.core.render import NbElementRenderer
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

UNKNOWN_REPOSITORY = "OWNER/REPOSITORY"


def reread_chapters_together(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Read all chapters anew when one has changed: their texts quote each other's numbers."""
    chapters = {name for name in env.found_docs if name.startswith("notebooks/")}
    return sorted(chapters) if chapters & (added | changed | removed) else []


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


def number_links_to_figures(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Say which figure ``[the figure](#fig-...)`` is; in Colab and on GitHub these words stay."""
    numbers = app.env.toc_fignumbers.get(page, {}).get("figure", {})
    for link in doctree.findall(nodes.reference):
        if number := numbers.get(link.get("refid")):
            text = app.config.numfig_format["figure"] % ".".join(map(str, number))
            link[:] = [nodes.Text(text)]


def set_repository(app: Sphinx, config: Config) -> None:
    """Point the buttons at the repository, or leave out those that would lead nowhere."""
    options = config.html_theme_options
    name = os.environ.get("BOOK_REPOSITORY") or os.environ.get("GITHUB_REPOSITORY")
    if name:
        options["repository_url"] = f"https://github.com/{name}"
    if options["repository_url"].endswith(UNKNOWN_REPOSITORY):
        options["use_repository_button"] = options["use_issues_button"] = False
    chapters = Path(app.srcdir, "notebooks").glob("*.ipynb")
    if any(UNKNOWN_REPOSITORY in path.read_text(encoding="utf-8") for path in chapters):
        # In Colab their first cells would install from nowhere.
        options["launch_buttons"] = {}
        # Not the logger: Sphinx is quiet here, and this is no warning.
        print("No Colab or Binder buttons: no repository is set (make repository REPO=owner/name).")


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


def mend_citations(
    app: Sphinx,
    page: str,
    template: str,
    context: dict[str, object],
    doctree: nodes.document | None,
) -> None:
    """Let a list of citations be no list: docutils gives its items another role than a list's."""
    if body := context.get("body"):
        context["body"] = body.replace('<div role="list" class="citation', '<div class="citation')


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
    records.setup(app)
    # Before the extensions that read these settings.
    app.connect("config-inited", set_repository, priority=1)
    app.connect("config-inited", set_base_url, priority=1)
    app.connect("config-inited", leave_mocked_sources_unread)
    app.connect("env-get-outdated", reread_chapters_together)
    app.connect("doctree-resolved", number_links_to_figures)
    app.connect("html-page-context", mend_citations)
    app.connect("build-finished", lighten)
    keep_alt_text()
    drop_thebe(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
