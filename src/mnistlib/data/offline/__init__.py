"""The offline digits: drawn by code from a seed, in the form of MNIST, and kept as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnistlib.data.idx import write_idx
from mnistlib.data.kept import make_once
from mnistlib.data.official import OFFICIAL_FILES
from mnistlib.data.offline.drawing import TEST_COUNTS, TRAIN_COUNTS, draw_digits
from mnistlib.files import cache_dir

# Raise it when the same seed draws other images.
DRAWING_VERSION = 2


def find_or_draw() -> dict[str, Path]:
    """Return the files of the offline digits; if they aren't kept as drawn, draw them.

    Drawing takes some seconds. Several processes may do it at once.

    Returns
    -------
    dict of str to pathlib.Path
        A path for each key of ``OFFICIAL_FILES``.

    Raises
    ------
    mnistlib.MnistError
        If they can't be written to the cache.
    """
    folder = cache_dir() / "offline-digits" / f"version-{DRAWING_VERSION}"

    def make(scratch: Path) -> None:
        for key, array in draw().items():
            write_idx(scratch / OFFICIAL_FILES[key].unpacked_name, array)

    make_once(folder, make)
    return {key: folder / file.unpacked_name for key, file in OFFICIAL_FILES.items()}


def draw(seed: int = 0) -> dict[str, np.ndarray]:
    """Draw the offline digits.

    Parameters
    ----------
    seed
        The same seed gives the same images on the same machine. Training and
        test images come from different random streams.

    Returns
    -------
    dict of str to numpy.ndarray
        ``train_images`` uint8 ``(60000, 28, 28)``, ``train_labels`` uint8
        ``(60000,)``, and the same for ``test`` with 10,000.
    """
    train_stream, test_stream = np.random.default_rng(seed).spawn(2)
    drawn = *draw_digits(TRAIN_COUNTS, train_stream), *draw_digits(TEST_COUNTS, test_stream)
    return dict(zip(OFFICIAL_FILES, drawn, strict=True))
