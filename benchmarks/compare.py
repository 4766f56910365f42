"""One way against another, run in turn in one process."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


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
            f"{self.name:40} {self.source:12.3f} {self.ours:12.3f} {self.unit:9} "
            f"{self.ratio:7.1f}x{mark}"
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
