"""One way against another, run in turn, and what is reported of it."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mnistlib import MnistError
from mnistlib.files import atomic_write

T = TypeVar("T")


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
        ratio = self.ours / self.source
        return ratio if self.higher_is_better else 1 / ratio

    def __str__(self) -> str:
        values = f"{self.source:12.4g} {self.ours:12.4g} {self.unit:10} {self.ratio:6.1f}x"
        missed = "" if self.ratio >= self.aim else f"  (aim {self.aim:g}: missed)"
        note = f"\n  {self.note}" if self.note else ""
        return f"{self.name:44} {values}{missed}{note}"


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
        values = f"{self.printed or '-':>12} {self.today:12.4f} in {self.seconds:.0f} s"
        return f"{self.source} {self.name:41} {values}"


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


def timed(run: Callable[[], T]) -> tuple[T, float]:
    """Return what a function returns, and the seconds that it took."""
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def seconds(run: Callable[[], object]) -> Callable[[], float]:
    """Make a function that runs another and returns how long that took."""
    return lambda: timed(run)[1]


def rate(count: float, run: Callable[[], object]) -> Callable[[], float]:
    """Make a function that runs another, which does ``count`` things; return so many a second."""
    return lambda: count / timed(run)[1]


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

    def run() -> None:
        if not any(accuracy >= target for accuracy in islice(training(), limit)):
            raise MnistError(f"a test accuracy of {target} wasn't reached in {limit} looks")

    def measure() -> float:
        reset()
        return timed(run)[1]

    return measure


def write_record(path: Path, record: dict) -> None:
    """Keep what was measured as JSON, whole or not at all."""
    with atomic_write(path) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())
