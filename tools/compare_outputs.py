"""How a chapter's stored outputs are compared with those of a new run.

``tests/nbval_sanitize.cfg`` says what is masked. Where the outputs come from the same
digits, the same versions and the same kind of device as the stored ones, decimals
aren't masked but compared, within a tolerance:

- from 0.5 to 1 (accuracies, shares), and percentages from 50: within 0.02;
- all others: within a factor of 2;
- if that is less, within two units of the last place that is printed.

A cell can state another factor with a tag, ``factor-5``. Durations are never compared.
"""

from __future__ import annotations

import os
import re
from functools import cache
from importlib import metadata
from pathlib import Path

from mnistlib.files import cache_dir
from mnistlib.results import collect

ROOT = Path(__file__).resolve().parent.parent
DECIMAL = re.compile(r"(?<![\w.])[-+]?\d+\.\d+(?:e[-+]?\d+)?%?")
WITHIN = 0.02
FACTOR = 2.0


class Output(str):
    """A text that equals another one if their decimals are close and all else is the same."""

    factor: float

    def __new__(cls, text: str, factor: float = FACTOR) -> Output:
        output = super().__new__(cls, text)
        output.factor = factor
        return output

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return NotImplemented
        if DECIMAL.sub("DECIMAL", self) != DECIMAL.sub("DECIMAL", other):
            return False
        pairs = zip(DECIMAL.findall(self), DECIMAL.findall(other), strict=True)
        return all(is_close(*pair, self.factor) for pair in pairs)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def is_close(first: str, second: str, factor: float = FACTOR) -> bool:
    """Compare two decimals as printed.

    >>> is_close("0.9739", "0.9651"), is_close("0.97", "0.57"), is_close("97.4%", "94.1%")
    (True, False, False)
    >>> is_close("0.0851", "0.1200"), is_close("0.0851", "0.2"), is_close("3.1e-07", "4e-08")
    (True, False, False)
    >>> is_close("0.00", "-0.02"), is_close("12.5", "-12.5")
    (True, False)
    """
    scale = 100 if first.endswith("%") else 1
    a, b = (float(text.rstrip("%")) / scale for text in (first, second))
    difference = abs(a - b)
    if difference <= 2.001 * min(map(last_place, (first, second))) / scale:
        return True
    low, high = sorted((abs(a), abs(b)))
    if 0.5 <= high <= 1:
        return difference <= WITHIN * factor / FACTOR
    return a * b > 0 and high <= factor * low


def last_place(decimal: str) -> float:
    """Return what one unit of the last digit is worth.

    >>> last_place("97.30%"), last_place("3.1e-07")
    (0.01, 1e-08)
    """
    digits, _, exponent = decimal.rstrip("%").partition("e")
    return float(f"1e{int(exponent or 0) - len(digits.partition('.')[2])}")


@cache
def why_masked() -> str:
    """Say in what the stored outputs were made otherwise than new ones here; "" if in nothing."""
    stored: dict[str, str] = {}
    for result in collect(ROOT / "notebooks"):
        stored |= result.versions
    for name, version in stored.items():
        if name != "python" and metadata.version(name) != version:
            return f"{name} is {metadata.version(name)} here and was {version}"
    if any(each.name.startswith("jax-cuda") for each in metadata.distributions()):
        return "this environment computes on a GPU"
    source = os.environ.get("MNISTLIB_SOURCE")
    has_mnist = source == "mnist" or os.environ.get("MNISTLIB_DATA_DIR")
    if source == "offline" or not (has_mnist or (cache_dir() / "mnist").is_dir()):
        return "these digits aren't MNIST"
    return ""


def factor_of(tags: list[str]) -> float:
    """Return the factor that a cell's tags state.

    >>> factor_of(["hide-input", "factor-5"]), factor_of([])
    (5.0, 2.0)
    """
    stated = [tag.removeprefix("factor-") for tag in tags if tag.startswith("factor-")]
    return float(stated[0]) if stated else FACTOR


def masked(text: str, rules: dict[str, str], factor: float) -> Output:
    """Apply nbval's rules to a text, but for the one that masks every decimal."""
    for pattern, replacement in rules.items():
        if replacement != "DECIMAL":
            text = re.sub(pattern, replacement, text)
    return Output(text, factor)
