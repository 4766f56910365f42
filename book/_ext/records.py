"""What was recorded, on the book's pages: tables, single values, and a chapter's figure."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import nbformat
from docutils import nodes
from record_tables import TABLES
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from mnistlib.errors import MnistError
from mnistlib.results import VALUES_MIME_TYPE


class TableDirective(SphinxDirective):
    """One of ``TABLES``, by its name."""

    def run(self) -> list[nodes.Node]:
        # Whichever notebook or record is new, the table is.
        self.env.note_reread()
        try:
            return self.parse_text_to_nodes(TABLES[self.name](Path(self.env.srcdir)))
        except MnistError as error:
            raise self.error(str(error)) from error


class ChapterFigureDirective(SphinxDirective):
    """``{chapter-figure} CHAPTER NAME``: a figure of a chapter with a text of its own."""

    required_arguments = 2
    has_content = True

    def run(self) -> list[nodes.Node]:
        chapter, name = self.arguments
        cells = read_cells(self.env, chapter)
        for cell, below in pairwise(cells):
            if re.match(rf"\*\*Figure \S+<!--{name}-->", below.source):
                for output in cell.get("outputs", []):
                    if "image/png" in output.get("data", {}):
                        return [self.figure(output)]
        raise self.error(f"{chapter} shows no figure {name!r}: has it been run?")

    def figure(self, output: nbformat.NotebookNode) -> nodes.figure:
        data, shown = (output[key]["image/png"] for key in ("data", "metadata"))
        image = nodes.image(
            uri="data:image/png;base64," + data.replace("\n", ""),
            alt=shown["alt"],
            width=f"{shown['width']}px",
            classes=["chapter-figure"],
        )
        # Not a caption: the figure has its number where it is drawn.
        return nodes.figure("", image, nodes.legend("", *self.parse_content_to_nodes()))


class RecordedRole(SphinxRole):
    """``{recorded}`CHAPTER:NAME```: a value that ``mnistlib.results.record`` left in a chapter."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        chapter, _, name = self.text.partition(":")
        for cell in read_cells(self.env, chapter):
            for output in cell.get("outputs", []):
                values = output.get("data", {}).get(VALUES_MIME_TYPE, {})
                if name in values:
                    return [nodes.Text(values[name])], []
        message = f"{chapter} records no {name!r}: has it been run?"
        return [], [self.inliner.reporter.error(message, line=self.lineno)]


def read_cells(env: BuildEnvironment, chapter: str) -> list[nbformat.NotebookNode]:
    path = Path(env.srcdir) / "notebooks" / f"{chapter}.ipynb"
    env.note_dependency(str(path))
    return nbformat.read(path, as_version=4).cells if path.is_file() else []


def setup(app: Sphinx) -> None:
    for name in TABLES:
        app.add_directive(name, TableDirective)
    app.add_directive("chapter-figure", ChapterFigureDirective)
    app.add_role("recorded", RecordedRole())
