"""What a chapter measured, how sure it is, and how the book gets to know it.

A chapter ends in a :class:`Result`. Shown in a notebook, it is a small table for
the reader and JSON for the book: :func:`collect` reads it back from the
notebook's stored output, so no page repeats a number by hand.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from scipy.stats import binomtest

from mnistlib.errors import FileFormatError, MnistError
from mnistlib.machine import FRAMEWORKS, current_device, current_versions

MIME_TYPE = "application/vnd.mnistlib.result+json"
VALUES_MIME_TYPE = "application/vnd.mnistlib.values+json"
IMAGES_MIME_TYPE = "application/vnd.mnistlib.images+json"


class Interval(NamedTuple):
    """Both ends of an interval."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.4f} to {self.high:.4f}"


def wilson_interval(successes: int, trials: int) -> Interval:
    """Tell how far a proportion may be from the one that was counted.

    Parameters
    ----------
    successes, trials
        How many went well, say images that were classified correctly, of how many.

    Returns
    -------
    Interval
        Both ends, from 0 to 1; 95% of such intervals hold the true proportion.

    Raises
    ------
    mnistlib.MnistError
        If the counts make no sense.

    References
    ----------
    E. B. Wilson, Probable inference, the law of succession, and statistical
    inference, JASA 22 (1927).

    Examples
    --------
    >>> print(wilson_interval(9_739, 10_000))
    0.9706 to 0.9768
    """
    if not 0 <= successes <= trials or trials == 0:
        raise MnistError(
            f"no interval for {successes} of {trials}: use 0 <= successes <= trials, trials > 0"
        )
    return Interval(*binomtest(successes, trials).proportion_ci(method="wilson"))


@dataclass(frozen=True)
class Result:
    """One number that a chapter stands for.

    Attributes
    ----------
    chapter : str
        File name of the chapter without its ending, ``"02_keras_tfds"``.
    label : str
        What was trained, in a few words.
    metric : str
        What was measured, ``"test accuracy"``.
    value : float
        The measurement; an accuracy is from 0 to 1.
    interval : Interval
        The 95% interval of ``value``.
    source_value : float or None
        What the chapter's source printed for it, if it did.
    dataset : str
        Name of the digits, as ``mnistlib.data.load().source.name`` gives it.
    seconds : float
        How long the training took on ``device``.
    parameters : dict
        The settings that the value depends on.
    framework : str
        What computed it, a key of ``FRAMEWORKS``.
    device, versions : str, dict
        What it ran on, and with which versions of Python and of the framework's
        packages; filled in.
    """

    chapter: str
    label: str
    metric: str
    value: float
    interval: Interval
    dataset: str
    seconds: float
    source_value: float | None = None
    parameters: Mapping[str, int | float | str] = field(default_factory=dict)
    framework: str = "numpy"
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.framework not in FRAMEWORKS:
            raise MnistError(f"framework={self.framework!r}: use one of {', '.join(FRAMEWORKS)}")
        if not self.device:  # a new result, not one read back from a notebook
            object.__setattr__(self, "device", current_device(self.framework))
            object.__setattr__(self, "versions", current_versions(self.framework))

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        rows = {
            "Trained": self.label,
            "Settings": ", ".join(f"{name} {value}" for name, value in self.parameters.items()),
            self.metric.capitalize(): f"{self.value:.4f} (95% interval {self.interval})",
        }
        if self.source_value is not None:
            rows["The source printed"] = f"{self.source_value:.4f}"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        rows["Run on"] = f"{self.dataset}, {self.device}, {self.seconds:.1f} s, {versions}"
        rows = {name: text for name, text in rows.items() if text}
        table = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(text)}</td></tr>'
            for name, text in rows.items()
        )
        return {
            "text/plain": "\n".join(f"{name}: {text}" for name, text in rows.items()),
            "text/html": f'<table class="result">{table}</table>',
            MIME_TYPE: asdict(self),
        }


def collect(folder: str | os.PathLike) -> list[Result]:
    """Read the results that notebooks have stored in their outputs.

    Parameters
    ----------
    folder
        Where the notebooks are.

    Returns
    -------
    list of Result
        In the order of the notebooks' names, and in each of its cells.

    Raises
    ------
    mnistlib.FileFormatError
        If a notebook isn't JSON, or a result in it lacks a field.
    """
    results = []
    for path in sorted(Path(folder).glob("*.ipynb")):
        for stored in _stored(path, MIME_TYPE):
            try:
                interval = Interval(*stored["interval"])
                results.append(Result(**{**stored, "interval": interval}))
            except (TypeError, KeyError) as error:
                raise _unreadable(path, error) from error
    return results


def record(**values: object) -> None:
    """Keep values in a notebook's output, for the text to quote; nothing is shown.

    In the text, ``97.3%<!--test-accuracy-->`` is followed by the invisible name of a value
    that ``record(test_accuracy=...)`` has kept. ``make notebooks`` writes the current
    value there.

    Parameters
    ----------
    values
        What the text may quote, as it shall stand there; the ``str`` of each is kept. An
        underscore in a name becomes a hyphen.
    """
    from IPython.display import display

    kept = {name.replace("_", "-"): str(value) for name, value in values.items()}
    display({VALUES_MIME_TYPE: kept}, raw=True)


def recorded(path: str | os.PathLike) -> dict[str, str]:
    """Read the values that a notebook has kept by :func:`record`.

    Parameters
    ----------
    path
        The notebook.

    Returns
    -------
    dict
        The values by their names.

    Raises
    ------
    mnistlib.FileFormatError
        If the notebook isn't JSON.
    """
    values = {}
    for stored in _stored(Path(path), VALUES_MIME_TYPE):
        values |= stored
    return values


def offered_mistakes(path: str | os.PathLike) -> list[dict]:
    """Read what :func:`mnistlib.figures.offer_mistakes` left in a notebook, each in its order.

    Raises
    ------
    mnistlib.FileFormatError
        If the notebook isn't JSON.
    """
    return _stored(Path(path), IMAGES_MIME_TYPE)


def _stored(path: Path, mime_type: str) -> list[dict]:
    """Read what a notebook's outputs hold of one type."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
        return [each[mime_type] for each in data if mime_type in each]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> FileFormatError:
    return FileFormatError(f"{path}: its results can't be read ({error}): run `make notebooks`")
