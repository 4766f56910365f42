"""Tables of what the committed chapters and the benchmarks recorded, as Markdown.

No number on the book's pages is typed. Each table is a function of the checkout's
folder; the pages name it by its key in ``TABLES``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat

from mnistlib.results import Result, collect

NOT_YET_RUN = "not yet run"


def results(root: Path) -> str:
    """Every result of the chapters on real MNIST."""
    head = ("Trained", "Accuracy", "95% interval", "Printed", "Time", "Device")
    rows = []
    for result in on_mnist(root):
        printed = "" if result.source_value is None else f"{result.source_value:.4f}"
        rows.append((*accuracy(result), printed, f"{result.seconds:.1f} s", result.device))
    return table(head, rows)


def wrong_answers(root: Path) -> str:
    """The same results as bars."""
    found = on_mnist(root)
    widest = max((1 - result.interval.low for result in found), default=1.0)
    rows = ((*accuracy(result), bar(result, widest)) for result in found)
    return table(("Trained", "Accuracy", "95% interval", "Wrong answers"), rows)


def status(root: Path) -> str:
    """When each chapter last ran, how long, on what device, with which versions."""
    first = {result.chapter: result for result in reversed(collect(root / "notebooks"))}
    rows = []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        run, result = notebook.metadata.get("run"), first.get(path.stem)
        when = (run["date"], f"{run['seconds']:.0f} s") if run else (NOT_YET_RUN, "")
        provenance = ("", "", "")
        if result:
            provenance = (result.dataset, result.device, listed(result.versions))
        rows.append((link(path.stem, title), *when, *provenance))
    chapters = table(("Chapter", "Ran on", "Took", "Digits", "Device", "Versions"), rows)
    return f"{chapters}\n\n{on_gpu(root)}"


def on_gpu(root: Path) -> str:
    """The last run on a GPU that passed, if ``tools/gpu_status.py`` has left it here."""
    path = root / "_build" / "gpu" / "status.json"
    if not path.is_file():
        return "No run on a GPU was at hand when this page was built."
    run = json.loads(path.read_text(encoding="utf-8"))
    rows = ((plain(name), f"{each['seconds']:.0f} s") for name, each in run["chapters"].items())
    note = f"{run['date']}, {run['device']}, {run['data']}, {listed(run['versions'])}."
    return f"{table(('On a GPU', 'Took'), rows)}\n\n{note}"


def versions(root: Path) -> str:
    """The versions with which the chapters last passed."""
    found: dict[str, str] = {}
    for result in collect(root / "notebooks"):
        found |= result.versions
    return table(("Package", "Version"), ((plain(name), found[name]) for name in found))


def offline_quality(root: Path) -> str:
    """What ``benchmarks/offline_quality.py`` recorded."""
    record = benchmark(root, "offline_quality")
    rows = []
    for name, kinds in record["networks"].items():
        cells = (kinds[kind] for kind in ("mnist", "drawn", "transfer"))
        rows.append((name, *(f"{each['mean']:.4f} ± {each['deviation']:.4f}" for each in cells)))
    head = ("Network", "MNIST to MNIST", "drawn to drawn", "drawn to MNIST")
    note = (
        "Trained on the first, tested on the second; mean and deviation of "
        f"{record['seeds']} seeds. {record['device']}, {listed(record['versions'])}."
    )
    return f"{table(head, rows)}\n\n{note}"


def reproductions(root: Path) -> str:
    """What the sources' programs give today, beside what the chapters give."""
    record = benchmark(root, "ledger")
    chapters = {result.label: result for result in collect(root / "notebooks")}
    rows = []
    for row in record["reproductions"]:
        ours = (plain(row["name"]), NOT_YET_RUN, "")
        if result := chapters.get(row["chapter_label"]):
            ours = (link(result.chapter, row["name"]), *accuracy(result)[1:])
        printed, today = row["printed"], f"{row['today']:.4f}"
        took = f"{row['seconds']:.0f} s"
        rows.append((row["source"], ours[0], printed, today, *ours[1:], took))
    head = ("Source", "Trained", "Printed", "Today", "Chapter", "95% interval", "Took")
    return f"{table(head, rows)}\n\n{recorded_on(record)}"


def comparisons(root: Path) -> str:
    """The sources' ways against ours."""
    record = benchmark(root, "ledger")
    rows = []
    for row in record["comparisons"]:
        ratio = row["ours"] / row["source"]
        if not row["higher_is_better"]:
            ratio = 1 / ratio
        outcome = ["reached" if ratio >= row["aim"] else "missed"]
        if row["baseline"] != "source":
            outcome.append(f"the first is {row['baseline']}")
        outcome += filter(None, [row["note"]])
        values = (three_digits(row["source"]), three_digits(row["ours"]), row["unit"])
        rest = (f"{ratio:.1f}", f"{row['aim']:g}", plain("; ".join(outcome)))
        rows.append((plain(row["name"]), *values, *rest))
    head = ("Compared", "Source", "Ours", "Unit", "Ratio", "Aim", "")
    return f"{table(head, rows)}\n\n{recorded_on(record)}"


TABLES = {
    "results": results,
    "wrong-answers": wrong_answers,
    "status": status,
    "versions": versions,
    "offline-quality": offline_quality,
    "reproductions": reproductions,
    "comparisons": comparisons,
}


def on_mnist(root: Path) -> list[Result]:
    return [result for result in collect(root / "notebooks") if result.dataset == "MNIST"]


def benchmark(root: Path, name: str) -> dict:
    return json.loads((root / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def recorded_on(record: Mapping) -> str:
    devices = " and ".join(record["devices"])
    return f"Recorded on {record['date']} on {devices}, {listed(record['versions'])}."


def accuracy(result: Result) -> tuple[str, str, str]:
    """Return the cells that tables of results begin with."""
    name = link(result.chapter, result.label)
    return name, f"{result.value:.4f}", str(result.interval)


def bar(result: Result, widest: float) -> str:
    """Draw the share of wrong answers and its interval; ``widest`` is the whole width."""
    shares = (result.value, *result.interval)
    wrong, high, low = (100 * (1 - share) / widest for share in shares)
    return (
        f'<svg class="mistakes" role="img" aria-label="{1 - result.value:.2%}" '
        'viewBox="0 0 100 8" preserveAspectRatio="none">'
        f'<rect width="{wrong:.2f}" height="8"/><path d="M{low:.2f} 4H{high:.2f}"/></svg>'
    )


def three_digits(value: float) -> str:
    """Write 12345.6 as 12,300 and 0.123456 as 0.123."""
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{float(f'{value:.3g}'):,.{digits}f}"


def listed(versions: Mapping[str, str]) -> str:
    return plain(", ".join(f"{name} {version}" for name, version in versions.items()))


def link(chapter: str, text: str) -> str:
    return f"[{plain(text)}](/notebooks/{chapter}.ipynb)"


def plain(text: str) -> str:
    """Write a text so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", text)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
