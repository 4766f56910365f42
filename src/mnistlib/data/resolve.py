"""Which digits are used, and from where.

They are looked for in this order:

1. the folder that ``MNISTLIB_DATA_DIR`` names, when it is set;
2. the cache (``MNISTLIB_CACHE_DIR``, or the user's cache folder);
3. the mirrors, from which they are downloaded into the cache;
4. the offline digits, which are drawn by code and are not MNIST.

Every file of the first three was checked against the SHA-256 sum of the official
one. ``MNISTLIB_SOURCE=mnist`` forbids the fourth, ``MNISTLIB_SOURCE=offline``
forces it; ``auto``, or nothing, tries all.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mnistlib.data import official
from mnistlib.data.offline import find_or_draw
from mnistlib.errors import DownloadError, MnistError
from mnistlib.files import cache_dir

MNIST = "MNIST"
OFFLINE_DIGITS = "offline digits"


class Located(NamedTuple):
    """Four files in the official format.

    Attributes
    ----------
    name : str
        Which digits they hold, ``"MNIST"`` or ``"offline digits"``.
    origin : str
        Where they come from.
    paths : dict
        A file for each of ``train_images``, ``train_labels``, ``test_images``
        and ``test_labels``.
    """

    name: str
    origin: str
    paths: dict[str, Path]


class OfflineDigitsWarning(UserWarning):
    """MNIST can't be had, and digits drawn by code take its place."""


def locate(*, download: bool = True) -> Located:
    """Find the digits to use, as this module describes.

    Parameters
    ----------
    download
        Whether to try the mirrors when no verified files are here.

    Returns
    -------
    Located
        The files, which digits they hold, and where they come from.

    Raises
    ------
    mnistlib.MnistError
        If ``MNISTLIB_DATA_DIR`` is set and a file there is missing or wrong, if
        ``MNISTLIB_SOURCE`` is wrong, or if it forbids the offline digits and
        nothing else is to be had.
    """
    source = os.environ.get("MNISTLIB_SOURCE") or "auto"
    if source not in ("auto", "mnist", "offline"):
        raise MnistError(f"MNISTLIB_SOURCE is {source!r}: use auto, mnist or offline")
    if source != "offline":
        try:
            return _locate_official(download)
        except DownloadError as error:
            if source == "mnist":
                raise
            _warn(str(error))
    return Located(OFFLINE_DIGITS, "mnistlib's own drawing", find_or_draw())


def _locate_official(download: bool) -> Located:
    data_dir = os.environ.get("MNISTLIB_DATA_DIR")
    if data_dir:
        paths = official.find_files(Path(os.path.expanduser(data_dir)))
        return Located(MNIST, f"{data_dir} (MNISTLIB_DATA_DIR)", paths)
    folder = cache_dir() / "mnist"
    try:
        return Located(MNIST, f"{folder} (cache)", official.find_files(folder))
    except MnistError as error:
        if not download:
            raise DownloadError(f"no verified MNIST in the cache: {error}") from error
    mirrors = official.download_files(folder)
    return Located(MNIST, f"{', '.join(mirrors)} (downloaded)", official.find_files(folder))


@cache
def _warn(reason: str) -> None:
    """Warn once in a process."""
    warnings.warn(
        f"{reason}\nThe offline digits take its place: drawn by code, not MNIST.",
        OfflineDigitsWarning,
        stacklevel=4,
    )
