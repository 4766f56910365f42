"""Preparing a drawing as MNIST's digits were prepared."""

from __future__ import annotations

import numpy as np

from mnistlib.errors import MnistError

SIDE = 28  # pixels of an image
BOX = 20  # of the digit in it: its longer side


def prepare(drawing: np.ndarray) -> np.ndarray:
    """Crop a drawing to its ink, resize it to MNIST's box, and centre it.

    Parameters
    ----------
    drawing
        ``(height, width)``, ink from 0 for paper to any largest value, uint8 or float.

    Returns
    -------
    numpy.ndarray
        float32 ``(28, 28)``, from 0 to 1: the longer side of the digit is 20 pixels and its
        centre of mass at the image's centre, as far as whole pixels allow. Without ink, zeros.

    Raises
    ------
    mnistlib.MnistError
        If it has other than two axes, or numbers that are no ink.

    References
    ----------
    LeCun, Cortes and Burges, The MNIST database of handwritten digits.
    """
    drawing = np.asarray(drawing)
    if drawing.ndim != 2:
        raise MnistError(f"a drawing of shape {drawing.shape}: give one picture, (height, width)")
    if drawing.dtype.kind not in "uif" or not np.isfinite(drawing).all() or (drawing < 0).any():
        raise MnistError("a drawing holds ink: finite numbers from 0, for paper, upwards")
    if not drawing.any():
        return np.zeros((SIDE, SIDE), np.float32)
    return centre(fit_box(crop(drawing)))


def crop(drawing: np.ndarray) -> np.ndarray:
    """Cut off the paper around the ink."""
    rows, columns = (np.flatnonzero(drawing.any(axis=axis)) for axis in (1, 0))
    return drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def fit_box(picture: np.ndarray) -> np.ndarray:
    """Resize a picture until its longer side has 20 pixels."""
    longer = max(picture.shape)
    return resize(picture, *(max(1, int(BOX * side / longer + 0.5)) for side in picture.shape))


def resize(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Give a picture ``(rows, columns)``, each the mean of the part that it covers."""
    down = averaging(picture.shape[0], rows)
    across = averaging(picture.shape[1], columns)
    return down @ picture @ across.T


def averaging(count: int, parts: int) -> np.ndarray:
    """Return the matrix ``(parts, count)`` that averages ``count`` values in equal parts."""
    edges = np.arange(parts + 1)[:, None] * count / parts
    covered = np.clip(edges - np.arange(count), 0, 1)  # of each value, left of each edge
    return np.diff(covered, axis=0) * parts / count


def centre(picture: np.ndarray) -> np.ndarray:
    """Put a picture's centre of mass at pixel (14, 14) of an image, its darkest ink to 1."""
    image = np.zeros((SIDE, SIDE), np.float32)
    corner = []
    for axis, size in enumerate(picture.shape):
        mass = picture.sum(1 - axis)
        middle = mass @ np.arange(size) / mass.sum()
        # To the nearest pixel; sums that only rounding parts go the same way.
        start = int(np.floor(SIDE / 2 - middle + 0.5 + 1e-9))
        corner.append(slice(min(max(start, 0), SIDE - size), None))
    image[tuple(corner)][: picture.shape[0], : picture.shape[1]] = picture / picture.max()
    return image
