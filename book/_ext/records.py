"""Tables of what was recorded: by the committed chapters, and by benchmarks.

No number on the book's pages is typed; these directives put them there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from mnistlib.results import Result, collect


class ResultsDirective(SphinxDirective):
    """A table of the chapters' results on real MNIST."""

    option_spec = {"compact": directives.flag}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir) / "notebooks"
        self.env.note_reread()
        results = [result for result in collect(folder) if result.dataset == "MNIST"]
        compact = "compact" in self.options
        headers = ["Trained", "Accuracy", "95% interval"]
        headers += ["Wrong answers"] if compact else ["Printed", "Time", "Device"]
        most = max((1 - result.interval.low for result in results), default=1.0)
        rows = [_texts(*headers)]
        for result in results:
            row = _texts("", f"{result.value:.4f}", str(result.interval))
            row[0] = _link(self, f"notebooks/{result.chapter}", result.label)
            rows.append(row + ([_mistakes(result, most)] if compact else self._details(result)))
        return [_table(rows)]

    def _details(self, result: Result) -> list[nodes.Node]:
        printed = "" if result.source_value is None else f"{result.source_value:.4f}"
        return _texts(printed, f"{result.seconds:.1f} s", result.device)


class OfflineQualityDirective(SphinxDirective):
    """What ``benchmarks/offline_quality.py`` recorded."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / "benchmarks" / "offline_quality.json"
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        headers = ["Network", "MNIST to MNIST", "drawn to drawn", "drawn to MNIST"]
        rows = [_texts(*headers)]
        for name, kinds in record["networks"].items():
            cells = [kinds[kind] for kind in ("mnist", "drawn", "transfer")]
            texts = [f"{cell['mean']:.4f} ± {cell['deviation']:.4f}" for cell in cells]
            rows.append(_texts(name, *texts))
        versions = _versions(record["versions"])
        note = (
            f"Trained on the first, tested on the second; mean and deviation of "
            f"{record['seeds']} seeds. {record['device']}, {versions}."
        )
        return [_table(rows), nodes.paragraph(note, note)]


class StatusDirective(SphinxDirective):
    """When each chapter last ran, how long, on what device, with which versions."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        folder = Path(self.env.srcdir) / "notebooks"
        results = {result.chapter: result for result in reversed(collect(folder))}
        rows = [_texts("Chapter", "Ran on", "Took", "Digits", "Device", "Versions")]
        for path in sorted(folder.glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            ran, result = notebook.metadata["run"], results.get(path.stem)
            provenance = ("", "", "")
            if result:
                provenance = (result.dataset, result.device, _versions(result.versions))
            row = _texts("", ran["date"], f"{ran['seconds']:.0f} s", *provenance)
            row[0] = _link(self, f"notebooks/{path.stem}", _title(notebook))
            rows.append(row)
        return [_table(rows), *self._on_gpu()]

    def _on_gpu(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / "_build" / "gpu" / "status.json"
        if not path.is_file():
            text = "No run on a GPU was at hand when this page was built."
            return [nodes.paragraph(text, text)]
        status = json.loads(path.read_text(encoding="utf-8"))
        rows = [_texts("On a GPU", "Took", "Failures")]
        for chapter, run in status["chapters"].items():
            rows.append(_texts(chapter, f"{run['seconds']:.0f} s", str(run["failures"])))
        versions = _versions(status["versions"])
        text = f"{status['date']}, {status['device']}, {status['data']}, {versions}."
        return [_table(rows), nodes.paragraph(text, text)]


class VersionsDirective(SphinxDirective):
    """The versions with which the chapters last passed."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        versions: dict[str, str] = {}
        for result in collect(Path(self.env.srcdir) / "notebooks"):
            versions |= result.versions
        rows = [_texts(name, version) for name, version in versions.items()]
        return [_table([_texts("Package", "Version"), *rows])]


class LedgerDirective(SphinxDirective):
    """What ``benchmarks/ledger.py`` recorded: ``reproductions`` or ``comparisons``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir)
        path = folder / "benchmarks" / "ledger.json"
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        kinds = {"reproductions": self._reproductions, "comparisons": self._comparisons}
        if self.arguments[0] not in kinds:
            raise self.error(f"no table {self.arguments[0]!r}: choose from {', '.join(kinds)}")
        table = _table(kinds[self.arguments[0]](record[self.arguments[0]]))
        devices, versions = " and ".join(record["devices"]), _versions(record["versions"])
        note = f"Recorded on {record['date']} on {devices}, {versions}."
        return [table, nodes.paragraph(note, note)]

    def _reproductions(self, rows: list[dict]) -> list[list[nodes.Node]]:
        self.env.note_reread()
        results = {result.label: result for result in collect(Path(self.env.srcdir) / "notebooks")}
        table = [_texts("Source", "Trained", "Printed", "Today", "Chapter", "95% interval", "Took")]
        for row in rows:
            result = results[row["chapter_label"]]
            texts = [f"{row['today']:.4f}", f"{result.value:.4f}", str(result.interval)]
            cells = _texts(row["source"], "", row["printed"], *texts, f"{row['seconds']:.0f} s")
            cells[1] = _link(self, f"notebooks/{result.chapter}", row["name"])
            table.append(cells)
        return table

    def _comparisons(self, rows: list[dict]) -> list[list[nodes.Node]]:
        table = [_texts("Compared", "Source", "Ours", "Unit", "Ratio", "Aim", "")]
        for row in rows:
            outcome = "reached" if row["ratio"] >= row["aim"] else "missed"
            if row["baseline"] != "source":
                outcome += f"; the first is {row['baseline']}"
            if row["note"]:
                outcome += f"; {row['note']}"
            values = [_three_digits(row[key]) for key in ("source", "ours")]
            aim = f"{row['aim']:g}"
            table.append(
                _texts(row["name"], *values, row["unit"], f"{row['ratio']:.1f}", aim, outcome)
            )
        return table


class ChapterFigureDirective(SphinxDirective):
    """``{chapter-figure} CHAPTER NAME``: a figure of a chapter with a text of its own."""

    required_arguments = 2
    has_content = True

    def run(self) -> list[nodes.Node]:
        chapter, name = self.arguments
        path = Path(self.env.srcdir) / "notebooks" / f"{chapter}.ipynb"
        self.env.note_dependency(str(path))
        cells = nbformat.read(path, as_version=4).cells if path.is_file() else []
        pictures = [
            output
            for cell in cells
            if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == name
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ]
        if not pictures:
            raise self.error(f"{path.name} shows no figure {name!r}: has it been run?")
        data, shown = pictures[0].data["image/png"], pictures[0].metadata["image/png"]
        image = nodes.image(
            uri="data:image/png;base64," + data.replace("\n", ""),
            alt=shown["alt"],
            width=f"{shown['width']}px",
            classes=["chapter-figure"],
        )
        # Not a caption: the figure has its number where it is drawn.
        text, _ = self.parse_inline("\n".join(self.content))
        return [nodes.figure("", image, nodes.legend("", nodes.paragraph("", "", *text)))]


class RecordedRole(SphinxRole):
    """``{recorded}`CHAPTER:NAME```: a value that the chapter glued."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        chapter, _, name = self.text.partition(":")
        path = Path(self.env.srcdir) / "notebooks" / f"{chapter}.ipynb"
        self.env.note_dependency(str(path))
        value = _glued(path).get(name) if path.is_file() else None
        if value is None:
            message = f"{path.name} glues no {name!r}"
            return [], [self.inliner.reporter.error(message, line=self.lineno)]
        return [nodes.Text(value)], []


def _glued(path: Path) -> dict[str, str]:
    """Read the values that ``mnistlib.results.glue`` left in a notebook's outputs."""
    outputs = [
        output
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if "scrapbook" in output.get("metadata", {})
    ]
    return {
        output.metadata.scrapbook["name"]: next(iter(output["data"].values())) for output in outputs
    }


def _mistakes(result: Result, most: float) -> nodes.raw:
    """Draw the share of wrong answers and its interval, where ``most`` is the whole width."""
    shares = (result.value, *result.interval)
    wrong, high, low = (100 * (1 - share) / most for share in shares)
    svg = (
        f'<svg class="mistakes" role="img" aria-label="{1 - result.value:.2%}" '
        'viewBox="0 0 100 8" preserveAspectRatio="none">'
        f'<rect width="{wrong:.2f}" height="8"/><path d="M{low:.2f} 4H{high:.2f}"/></svg>'
    )
    return nodes.raw("", svg, format="html")


def _three_digits(value: float) -> str:
    """Write 12345.6 as 12,300 and 0.123456 as 0.123."""
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{float(f'{value:.3g}'):,.{digits}f}"


def _texts(*texts: str) -> list[nodes.Node]:
    return [nodes.Text(text) for text in texts]


def _link(directive: SphinxDirective, page: str, text: str) -> nodes.reference:
    link = nodes.reference("", text, internal=True)
    env = directive.env
    link["refuri"] = env.app.builder.get_relative_uri(env.docname, page)
    return link


def _title(notebook: nbformat.NotebookNode) -> str:
    return notebook.cells[0].source.splitlines()[0].removeprefix("# ")


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


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


def setup(app: Sphinx) -> None:
    app.add_directive("results", ResultsDirective)
    app.add_directive("offline-quality", OfflineQualityDirective)
    app.add_directive("status", StatusDirective)
    app.add_directive("versions", VersionsDirective)
    app.add_directive("ledger", LedgerDirective)
    app.add_directive("chapter-figure", ChapterFigureDirective)
    app.add_role("recorded", RecordedRole())
