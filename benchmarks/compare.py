"""One way against another, run in turn; and what every benchmark's program does."""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from mnistlib import MnistError
from mnistlib.files import atomic_write
from mnistlib.machine import current_device


@dataclass(frozen=True)
class Comparison:
    """Medians of two ways to do the same thing.

    Attributes
    ----------
    name : str
        What was done.
    unit : str
        Of the two values, for example ``"s"`` or ``"images/s"``.
    source, ours : float
        The source's way and the book's.
    aim : float
        The ratio that was aimed for.
    baseline : str
        What the first value is, if it isn't the source's.
    higher_is_better : bool
        True for a rate, False for a duration.
    note : str
        What a reader has to know, for example why an aim was missed.
    """

    name: str
    unit: str
    source: float
    ours: float
    aim: float
    baseline: str = "source"
    higher_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        if self.higher_is_better:
            return self.ours / self.source
        return self.source / self.ours

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "ratio": self.ratio}

    def __str__(self) -> str:
        mark = "" if self.ratio >= self.aim else f"  (aim {self.aim:g}: missed)"
        return (
            f"{self.name:44} {self.source:12.4g} {self.ours:12.4g} {self.unit:10} "
            f"{self.ratio:6.1f}x{mark}"
        )


@dataclass(frozen=True)
class Reproduction:
    """A source's program, run as it stands.

    Attributes
    ----------
    source : str
        ``"S0"`` to ``"S4"``, as the book's page on the sources numbers them.
    name : str
        What was trained.
    printed : str
        The test accuracy that the source printed, in its precision.
    today : float
        What its way gives.
    seconds : float
        How long that took, compiling included.
    chapter_label : str
        Of the result that the chapter records for it.
    """

    source: str
    name: str
    printed: str
    today: float
    seconds: float
    chapter_label: str

    def __str__(self) -> str:
        printed = self.printed or "-"
        return (
            f"{self.source} {self.name:41} {printed:>12} {self.today:12.4f} in {self.seconds:.0f} s"
        )


def in_turn(
    source: Callable[[], float], ours: Callable[[], float], repeats: int
) -> tuple[float, float]:
    """Run both ways one after the other, several times; return the medians.

    Parameters
    ----------
    source, ours
        Functions that run once and return what they measured.
    repeats
        How often each runs.
    """
    measured: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, values in zip((source, ours), measured, strict=True):
            gc.collect()
            values.append(run())
    return statistics.median(measured[0]), statistics.median(measured[1])


def seconds(run: Callable[[], object]) -> Callable[[], float]:
    """Make a function that runs another and returns how long that took."""

    def timed() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return timed


def to_accuracy(
    target: float, training: Callable[[], Iterable[float]], reset: Callable[[], object], limit: int
) -> Callable[[], float]:
    """Make a function that times training, compiled anew, up to a test accuracy.

    Parameters
    ----------
    target
        The accuracy to reach.
    training
        Starts anew, and gives the accuracy at each look.
    reset
        Makes the framework forget what it compiled; not timed.
    limit
        Looks after which :class:`mnistlib.MnistError` is raised.
    """

    def timed() -> float:
        reset()
        start = time.perf_counter()
        for accuracy in islice(training(), limit):
            if accuracy >= target:
                return time.perf_counter() - start
        raise MnistError(f"{target} wasn't reached: this comparison needs MNIST")

    return timed


def main(
    description: str,
    framework: str,
    comparisons: Callable[[bool], list[Comparison]],
    reproductions: Callable[[], list[Reproduction]] | None = None,
) -> int:
    """Read the command line, measure, and print a line for each comparison.

    Parameters
    ----------
    description
        Of the benchmark, in a line.
    framework
        Whose device is named, a key of ``mnistlib.results.FRAMEWORKS``.
    comparisons
        Takes True if it has to be quick.
    reproductions
        Runs the source's programs from start to end. Not called when it has to
        be quick.

    Returns
    -------
    int
        0, or 1 if the data or a setting is wrong.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, shorter trainings")
    parser.add_argument("--json", type=Path, help="write what was measured to this file, too")
    options = parser.parse_args()
    try:
        compared = comparisons(options.quick)
        reproduced = reproductions() if reproductions and not options.quick else []
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    for comparison in compared:
        print(comparison)
        if comparison.note:
            print(f"  {comparison.note}")
    for reproduction in reproduced:
        print(reproduction)
    if options.json:
        record = {
            "device": current_device(framework),
            "comparisons": [each.as_dict() for each in compared],
            "reproductions": [asdict(each) for each in reproduced],
        }
        with atomic_write(options.json) as file:
            file.write(json.dumps(record).encode())
    return 0
