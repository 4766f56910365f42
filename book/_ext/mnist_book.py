"""What this book asks of Sphinx beyond what extensions offer.

- The ``results`` directive: a table of what the committed chapters recorded.
- The ``offline-quality`` directive: a table of what that benchmark recorded.
- Alternative text of figures, from where ``mnistlib.figures.show`` stores it.
- The repository's address for the buttons, from the environment.
- Nothing from other hosts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from docutils.parsers.rst import directives
from myst_nb.core.render import NbElementRenderer
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from mnistlib.results import Result, collect

UNKNOWN_REPOSITORY = "OWNER/REPOSITORY"


class ResultsDirective(SphinxDirective):
    """A table of the chapters' results on real MNIST."""

    option_spec = {"compact": directives.flag}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir) / "notebooks"
        self.env.note_reread()
        results = [result for result in collect(folder) if result.data == "MNIST"]
        headers = ["Trained", "Accuracy", "95% interval", "Printed"]
        if "compact" not in self.options:
            headers += ["Time", "Device"]
        rows = [[nodes.Text(header) for header in headers]]
        rows += [self._row(result)[: len(headers)] for result in results]
        return [_table(rows)]

    def _row(self, result: Result) -> list[nodes.Node]:
        printed = "" if result.printed is None else f"{result.printed:.4f}"
        link = nodes.reference("", result.label, internal=True)
        link["refuri"] = self.env.app.builder.get_relative_uri(
            self.env.docname, f"notebooks/{result.chapter}"
        )
        texts = [
            f"{result.value:.4f}",
            str(result.interval),
            printed,
            f"{result.seconds:.1f} s",
            result.device,
        ]
        return [link, *map(nodes.Text, texts)]


class OfflineQualityDirective(SphinxDirective):
    """What ``benchmarks/offline_quality.py`` recorded."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / "benchmarks" / "offline_quality.json"
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        headers = ["Network", "MNIST to MNIST", "drawn to drawn", "drawn to MNIST"]
        rows = [[nodes.Text(header) for header in headers]]
        for name, kinds in record["networks"].items():
            cells = [kinds[kind] for kind in ("mnist", "drawn", "transfer")]
            texts = [f"{cell['mean']:.4f} ± {cell['deviation']:.4f}" for cell in cells]
            rows.append([nodes.Text(text) for text in (name, *texts)])
        versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        note = (
            f"Trained on the first, tested on the second; mean and deviation of "
            f"{record['seeds']} seeds. {record['device']}, {versions}."
        )
        return [_table(rows), nodes.paragraph(note, note)]


def _table(rows: list[list[nodes.Node]]) -> nodes.table:
    """Make a table whose first row is its head."""
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]
    for part, part_rows in ((nodes.thead(), rows[:1]), (nodes.tbody(), rows[1:])):
        for row in part_rows:
            entries = [nodes.entry("", nodes.paragraph("", "", cell)) for cell in row]
            part += nodes.row("", *entries)
        group += part
    table = nodes.table("", group)
    table["classes"].append("colwidths-auto")
    return table


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
        print("No Colab button: the book's repository isn't set (make repository REPO=owner/name).")


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


def drop_thebe(app: Sphinx) -> None:
    """Undo sphinx_thebe, which Jupyter Book always loads: its script is on another host."""
    for listeners in app.events.listeners.values():
        listeners[:] = [each for each in listeners if each.handler.__module__ != "sphinx_thebe"]
    files = app.registry.css_files
    files[:] = [(name, options) for name, options in files if name != "sphinx-thebe.css"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("results", ResultsDirective)
    app.add_directive("offline-quality", OfflineQualityDirective)
    # Before the extensions that read these settings.
    app.connect("config-inited", set_repository, priority=1)
    app.connect("config-inited", set_base_url, priority=1)
    app.connect("env-get-outdated", reread_chapters_together)
    keep_alt_text()
    drop_thebe(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
