"""The offline digits as files in the official format, drawn once and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnistlib.data.idx import write_idx
from mnistlib.data.official import OFFICIAL_FILES
from mnistlib.data.offline.drawing import TEST_COUNTS, TRAIN_COUNTS, draw_digits
from mnistlib.files import atomic_folder, cache_dir

# Raise it when the same seed draws other images.
VERSION = 2


def find_or_draw(seed: int = 0) -> dict[str, Path]:
    """Return the files of the offline digits, drawn at the first call.

    Drawing takes some seconds. Several processes may do it at once.

    Parameters
    ----------
    seed
        Other seeds draw other images.

    Returns
    -------
    dict of str to pathlib.Path
        A path for each key of ``OFFICIAL_FILES``.
    """
    folder = cache_dir() / "offline-digits" / f"version-{VERSION}-seed-{seed}"
    paths = {key: folder / file.unpacked_name for key, file in OFFICIAL_FILES.items()}
    if not folder.is_dir():  # it got this name when it was complete
        with atomic_folder(folder) as scratch:
            for key, array in draw(seed).items():
                write_idx(scratch / paths[key].name, array)
    return paths


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
    train_images, train_labels = draw_digits(TRAIN_COUNTS, train_stream)
    test_images, test_labels = draw_digits(TEST_COUNTS, test_stream)
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }
