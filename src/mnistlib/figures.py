"""One style of figure, and no figure without a text that says what it shows."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from itertools import chain
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
from IPython.display import Image, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnistlib.errors import MnistError
from mnistlib.results import IMAGES_MIME_TYPE

# Of Okabe and Ito's palette, told apart with any kind of colour vision, those that
# stand out from white paper. https://jfly.uni-koeln.de/color/
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")

STYLE = {
    "axes.prop_cycle": mpl.cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "font.size": 10.0,
    "legend.frameon": False,
    # The book's style sheet turns the lightness of all round on a dark page.
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
PAGE_WIDTH = 7.0  # inches
PAGE_PIXELS_PER_INCH = 96  # as CSS counts
PIXEL_RATIO = 2  # twice what a page shows, for sharp screens


class Table(NamedTuple):
    """Texts in rows and columns: HTML where a notebook shows it, else aligned text.

    The first of ``columns`` is that of the rows' names; a row has a text for every column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        form = "{:{}}" + "  {:>{}}" * (len(widths) - 1)
        lines = [zip(row, widths, strict=True) for row in (self.columns, *self.rows)]
        return "\n".join(form.format(*chain.from_iterable(line)) for line in lines)

    def _repr_html_(self) -> str:
        lines = [("th", self.columns), *(("td", row) for row in self.rows)]
        cells = ["".join(f"<{kind}>{escape(text)}</{kind}>" for text in row) for kind, row in lines]
        return "<table><tr>" + "</tr><tr>".join(cells) + "</tr></table>"


def subplots(rows: int = 1, columns: int = 1, height: float = 3.0, **options: object):
    """Make a figure as wide as the page and ``height`` inches high, in the book's style.

    All else is as for ``matplotlib.pyplot.subplots``, and so is what it returns.
    """
    mpl.rcParams.update(STYLE)
    return plt.subplots(
        rows, columns, figsize=(PAGE_WIDTH, height), layout="constrained", **options
    )


def show(figure: Figure, *, alt: str) -> None:
    """Show a figure in a notebook, with its alternative text.

    Parameters
    ----------
    figure
        The figure; it is closed.
    alt
        What one would learn by looking, for a reader who can't see it. It is stored
        beside the picture, where Jupyter and the book find it.

    Raises
    ------
    mnistlib.MnistError
        If the text is too short to say anything.
    """
    if len(alt.split()) < 5:
        plt.close(figure)
        raise MnistError(f"alt={alt!r}: say in a sentence what the figure shows")
    drawn, png = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=PIXEL_RATIO * PAGE_PIXELS_PER_INCH)
    plt.close(figure)
    # 64 colours look the same and take a fraction of the bytes.
    with PIL.Image.open(drawn) as picture:
        picture.convert("RGB").quantize(64).save(png, format="png", optimize=True)
    width = round(figure.get_figwidth() * PAGE_PIXELS_PER_INCH)
    display(Image(png.getvalue(), width=width, alt=alt))


def draw_digits(
    axes: Sequence[Axes] | np.ndarray,
    images: np.ndarray,
    titles: Sequence[object] | None = None,
) -> None:
    """Draw one digit on each of the axes.

    Parameters
    ----------
    axes
        The axes; those without an image are left blank.
    images
        ``(n, 28, 28)`` or ``(n, 28, 28, 1)``, of any number type; the darkest
        ink is the largest value of all images.
    titles
        What to write above each.
    """
    axes = np.ravel(axes)
    top = np.max(images, initial=0) or 1
    for axis in axes:
        axis.set_axis_off()
    for i, (axis, image) in enumerate(zip(axes, images, strict=False)):
        axis.imshow(np.reshape(image, (28, 28)), cmap="gray_r", vmin=0, vmax=top)
        if titles is not None:
            axis.set_title(str(titles[i]), fontsize=9, pad=2)


def offer_mistakes(
    figure: str, images: np.ndarray, labels: np.ndarray, answers: np.ndarray
) -> None:
    """Give the book's site the digits behind a figure, for a visitor to choose from.

    Parameters
    ----------
    figure
        The figure's name, ``"fig-confusion"``.
    images
        uint8 ``(n, 28, 28)`` or ``(n, 28, 28, 1)``; kept in eight shades.
    labels, answers
        ``(n,)``: what each is, and what a network took it for.
    """
    png = io.BytesIO()
    sheet = PIL.Image.fromarray(np.reshape(images, (-1, 28)))
    sheet.quantize(8).save(png, format="png", optimize=True)
    mistakes = {
        "figure": figure,
        "labels": [int(label) for label in labels],
        "answers": [int(answer) for answer in answers],
        "png": base64.b64encode(png.getvalue()).decode(),
    }
    display({IMAGES_MIME_TYPE: mistakes}, raw=True)
