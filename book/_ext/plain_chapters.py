"""What the site makes of a chapter's plain text.

A chapter is a notebook in CommonMark that reads well anywhere. Invisible markers in it
(``tools/chapter_text.py`` writes what stands before them) tell the site what is what.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import SphinxError
from sphinx_design.shared import create_component

MARKER = re.compile(r"<!--(?:(?P<chapter>\w+):)?(?P<name>[\w-]+)-->")
NUMBERED = re.compile(r"(?:Figure|[Cc]hapter)\s\S+$")


def take_links_home(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn a notebook's absolute links to the book into the site's own."""
    project = tomllib.loads(Path(app.srcdir, "pyproject.toml").read_text("utf-8"))["project"]
    site, files = project["urls"]["Documentation"], f"{project['urls']['Repository']}/raw/main"
    if page.startswith("notebooks/"):
        text = re.sub(rf"{re.escape(site)}/book/([\w-]+)\.html", r"../book/\1.md", source[0])
        text = text.replace(f"{files}/notebooks/", "path:").replace(f"{files}/book/", "../book/")
        source[0] = text


def drop_form_titles(app: Sphinx, page: str, source: list[str]) -> None:
    """Leave out ``# @title Solution``: the site's own button says it."""
    if page.startswith("notebooks/"):
        source[0] = re.sub(r'"# @title [^"]*\\n",?\s*', "", source[0])


def make_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Make a figure of a picture and the paragraph ``**Figure 2.3<!--fig-name-->.** ...``."""
    for paragraph in list(doctree.findall(nodes.paragraph)):
        # The parser puts an empty text before a strong one.
        first, *text = [child for child in paragraph if child.astext()] or [None]
        if not (name := figure_name(first)):
            continue
        cell = paragraph.parent[paragraph.parent.index(paragraph) - 1]
        pictures = list(cell.findall(nodes.image))
        if not pictures:
            raise SphinxError(f"{app.env.docname}: no picture stands above the caption of {name}")
        number = nodes.inline("", MARKER.sub("", first.astext()), classes=["caption-number"])
        caption = nodes.caption("", "", number, *text)
        figure = nodes.figure("", pictures[-1].deepcopy(), caption, ids=[name], names=[name])
        pictures[-1].replace_self(figure)
        doctree.note_explicit_target(figure)
        paragraph.parent.remove(paragraph)


def figure_name(number: nodes.Node | None) -> str:
    """Return which figure's ``**Figure 2.3<!--fig-name-->.**`` this is; empty if it isn't one."""
    marker = MARKER.search(number.astext()) if isinstance(number, nodes.strong) else None
    return marker["name"] if marker and number.astext().startswith("Figure ") else ""


def link_numbers(app: Sphinx, doctree: nodes.document) -> None:
    """Link "Figure 2.3" and "chapter 2", where a marker says which that is."""
    for marker, match in markers(doctree):
        words = marker.parent[marker.parent.index(marker) - 1]
        numbered = NUMBERED.search(words.astext()) if isinstance(words, nodes.Text) else None
        if numbered:
            link = nodes.reference("", numbered[0], internal=True, **target(app, match))
            words.parent.replace(words, [nodes.Text(words[: numbered.start()]), link])


def target(app: Sphinx, marker: re.Match[str]) -> dict[str, str]:
    """Return where a marker of a figure or of a chapter leads."""
    chapter, name = marker["chapter"], marker["name"]
    if name.startswith("fig-") and not chapter:
        return {"refid": name}
    page, anchor = (chapter, f"#{name}") if chapter else (name, "")
    page = app.builder.get_relative_uri(app.env.docname, f"notebooks/{page}")
    return {"refuri": page + anchor}


def make_tabs(app: Sphinx, doctree: nodes.document) -> None:
    """Make tabs of the blocks of code after ``<!--tabs-->``, each with a bold name above it.

    A browser shows them by style sheet alone; off the screen they follow one another.
    """
    for marker, match in markers(doctree):
        if match["name"] != "tabs":
            continue
        place = marker.parent.index(marker) + 1
        tabs = create_component("tab-set", classes=["sd-tab-set"])
        while isinstance(block := (marker.parent[place + 1 :] or [None])[0], nodes.literal_block):
            name = nodes.rubric("", marker.parent[place].astext(), classes=["sd-tab-label"])
            code = create_component("tab-content", classes=["sd-tab-content"], children=[block])
            tabs += create_component("tab-item", classes=["sd-tab-item"], children=[name, code])
            del marker.parent[place : place + 2]
        marker.parent.insert(place, tabs)


def drop_markers(app: Sphinx, doctree: nodes.document) -> None:
    """Leave the markers out of the pages."""
    for marker, _ in markers(doctree):
        marker.parent.remove(marker)


def markers(doctree: nodes.document) -> list[tuple[nodes.raw, re.Match[str]]]:
    found = [(raw, MARKER.fullmatch(raw.astext().strip())) for raw in doctree.findall(nodes.raw)]
    return [(raw, match) for raw, match in found if match]


def number_no_figures(app: Sphinx, config: Config) -> None:
    """Let Sphinx number no figures: their numbers are in the text."""
    config.numfig = False


def setup(app: Sphinx) -> None:
    # After an extension of Jupyter Book, which turns it on.
    app.connect("config-inited", number_no_figures, priority=900)
    app.connect("source-read", take_links_home)
    app.connect("source-read", drop_form_titles)
    for job in (make_figures, link_numbers, make_tabs, drop_markers):
        app.connect("doctree-read", job)
