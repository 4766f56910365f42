"""What a chapter measured, how sure it is, and how the book gets to know it.

A chapter ends in a :class:`Result`. Shown in a notebook, it is a small table for
the reader and JSON for the book: :func:`collect` reads it back from the
notebook's stored output, so no page repeats a number by hand.
"""

from __future__ import annotations

import html
import importlib
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

from mnistlib.errors import FileFormatError, MnistError

MIME_TYPE = "application/vnd.mnistlib.result+json"
# What computed a result, and the packages whose versions belong to it.
FRAMEWORKS = {
    "numpy": ("numpy",),
    "tensorflow": ("tensorflow", "keras", "tensorflow_datasets", "numpy"),
    "jax": ("jax", "jaxlib", "numpy"),
}


class Interval(NamedTuple):
    """Both ends of an interval."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.4f} to {self.high:.4f}"


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Tell how far a proportion may be from the one that was counted.

    Parameters
    ----------
    successes
        How many went well, say images that were classified correctly.
    trials
        How many were tried.
    confidence
        How often such an interval holds the true proportion, from 0 to 1.

    Returns
    -------
    Interval
        Both ends, from 0 to 1.

    Raises
    ------
    mnistlib.MnistError
        If the counts or the confidence make no sense.

    References
    ----------
    E. B. Wilson, Probable inference, the law of succession, and statistical
    inference, JASA 22 (1927).

    Examples
    --------
    >>> print(wilson_interval(9_739, 10_000))
    0.9706 to 0.9768
    """
    if not 0 <= successes <= trials or trials == 0 or not 0 < confidence < 1:
        raise MnistError(
            f"no interval for {successes} of {trials} at confidence {confidence}: "
            "use 0 <= successes <= trials, trials > 0, 0 < confidence < 1"
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    center = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    half = z / (1 + z**2 / trials) * spread
    return Interval(max(0.0, center - half), min(1.0, center + half))


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Tell whether two classifiers differ, from the images that one alone got right.

    Images that both got right, or both wrong, say nothing about which is better.
    If neither is, each of the others is a toss of a coin.

    Parameters
    ----------
    only_first, only_second
        How many images the first alone, and the second alone, got right.

    Returns
    -------
    float
        The exact two-sided p-value, from 0 to 1: how probable it is that equal
        classifiers differ by as much, or more.

    Raises
    ------
    mnistlib.MnistError
        If a count is negative.

    References
    ----------
    Q. McNemar, Note on the sampling error of the difference between correlated
    proportions or percentages, Psychometrika 12 (1947).

    Examples
    --------
    >>> mcnemar_p_value(0, 6)
    0.03125
    """
    if min(only_first, only_second) < 0:
        raise MnistError(f"counts {only_first} and {only_second}: neither may be negative")
    tosses = only_first + only_second
    tail = sum(math.comb(tosses, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**tosses)


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
    printed : float or None
        What the chapter's source printed for it, if it did.
    data : str
        Name of the digits, as ``mnistlib.data.load().source.name`` gives it.
    seconds : float
        How long the training took on ``device``.
    parameters : dict
        The settings that the value depends on.
    framework : str
        What computed it, a key of ``FRAMEWORKS``.
    device : str
        What it ran on; filled in.
    versions : dict
        Versions of Python and of the framework's packages; filled in.
    """

    chapter: str
    label: str
    metric: str
    value: float
    interval: Interval
    data: str
    seconds: float
    printed: float | None = None
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

    def rows(self) -> dict[str, str]:
        """Return the table for the reader: names and texts, in order."""
        rows = {
            "Trained": self.label,
            "Settings": ", ".join(f"{name} {value}" for name, value in self.parameters.items()),
            self.metric.capitalize(): f"{self.value:.4f} (95% interval {self.interval})",
        }
        if self.printed is not None:
            rows["The source printed"] = f"{self.printed:.4f}"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        rows["Run on"] = f"{self.data}, {self.device}, {self.seconds:.1f} s, {versions}"
        return {name: text for name, text in rows.items() if text}

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        rows = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(text)}</td></tr>'
            for name, text in self.rows().items()
        )
        return {
            "text/plain": "\n".join(f"{name}: {text}" for name, text in self.rows().items()),
            "text/html": f'<table class="result">{rows}</table>',
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
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            outputs = [output for cell in cells for output in cell.get("outputs", ())]
            for output in outputs:
                if (stored := output.get("data", {}).get(MIME_TYPE)) is not None:
                    interval = Interval(*stored["interval"])
                    results.append(Result(**{**stored, "interval": interval}))
        except (ValueError, TypeError, KeyError) as error:
            raise FileFormatError(
                f"{path}: its results can't be read ({error}): run `make notebooks`"
            ) from error
    return results


def current_device(framework: str) -> str:
    """Name the device that a framework computes on.

    Parameters
    ----------
    framework
        A key of ``FRAMEWORKS``.

    Returns
    -------
    str
        The first GPU's name, or ``"CPU with N cores"`` if it uses none.
    """
    cpu = f"CPU with {os.cpu_count()} cores"
    if framework == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return details.get("device_name", "GPU") if gpus else cpu
    if framework == "jax":
        import jax

        return cpu if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
    return cpu


def current_versions(framework: str) -> dict[str, str]:
    """Return the versions of Python and of a framework's packages.

    Parameters
    ----------
    framework
        A key of ``FRAMEWORKS``.

    Returns
    -------
    dict of str to str
        ``{"python": "3.11.7", "numpy": "2.4.6", ...}``
    """
    modules = [importlib.import_module(name) for name in FRAMEWORKS[framework]]
    return {
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in modules},
    }


def glue(name: str, value: object) -> None:
    """Store a value in a notebook's output, for the prose to take it from there.

    In the text, ``{glue:text}`NAME``` shows it. This writes what
    ``myst_nb.glue(name, value, display=False)`` would, without that package, so
    chapters need nothing that Colab lacks.

    Parameters
    ----------
    name
        The name to use in the text, once in a chapter.
    value
        What to show; its ``str`` is stored.
    """
    from IPython.display import display

    prefix = "application/papermill.record/"
    display(
        {f"{prefix}text/plain": str(value)},
        metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
        raw=True,
    )
