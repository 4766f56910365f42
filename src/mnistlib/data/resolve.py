"""Which digits are used, and from where.

They are looked for in this order:

1. the folder that ``MNISTLIB_DATA_DIR`` names, when it is set;
2. the cache (``MNISTLIB_CACHE_DIR``, or the user's cache folder);
3. the mirrors, from which they are downloaded into the cache;
4. the offline digits, which are drawn by code and are not MNIST.

Every file of the first three was checked against the SHA-256 sum of the official
one. ``MNISTLIB_SOURCE=mnist`` forbids the fourth, ``MNISTLIB_SOURCE=offline``
forces it; ``auto``, or nothing, tries all. A process asks the mirrors once: where
they fail, it doesn't try again.
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

_failures: dict[Path, str] = {}  # of downloads in this process, by the folder they were for


class Located(NamedTuple):
    """Four files in the official format.

    Attributes
    ----------
    name : str
        Which digits they hold, ``"MNIST"`` or ``"offline digits"``.
    origin : str
        Where they come from.
    paths : dict
        A file for each key of ``OFFICIAL_FILES``: ``train_images``, ``train_labels``,
        ``test_images`` and ``test_labels``.
    """

    name: str
    origin: str
    paths: dict[str, Path]


class OfflineDigitsWarning(UserWarning):
    """MNIST can't be had, and digits drawn by code take its place."""


def locate() -> Located:
    """Find the digits to use, as this module describes.

    Returns
    -------
    Located
        The files, which digits they hold, and where they come from.

    Raises
    ------
    mnistlib.MnistError
        If ``MNISTLIB_DATA_DIR`` is set and a file there is missing or wrong, if
        ``MNISTLIB_SOURCE`` is wrong or forbids the only digits to be had, or if the
        cache can't be written.
    """
    source = wanted_source()
    if source != "offline":
        try:
            return locate_mnist()
        except DownloadError as error:
            if source == "mnist":
                raise
            _warn(str(error))
    return Located("offline digits", "mnistlib's own drawing", find_or_draw())


def wanted_source() -> str:
    """Return ``MNISTLIB_SOURCE``: ``"auto"``, ``"mnist"`` or ``"offline"``, or raise."""
    source = os.environ.get("MNISTLIB_SOURCE") or "auto"
    if source not in ("auto", "mnist", "offline"):
        raise MnistError(f"MNISTLIB_SOURCE is {source!r}: use auto, mnist or offline")
    return source


def locate_mnist(*, download: bool = True) -> Located:
    """Find MNIST itself: in the folder that is set, in the cache, or at the mirrors.

    Raises
    ------
    mnistlib.DownloadError
        If it isn't on this machine, and can't or may not be downloaded.
    mnistlib.MnistError
        As :func:`locate`.
    """
    if data_dir := os.environ.get("MNISTLIB_DATA_DIR"):
        paths = official.find_files(Path(os.path.expanduser(data_dir)))
        return Located(MNIST, f"{data_dir} (MNISTLIB_DATA_DIR)", paths)
    folder = cache_dir() / "mnist"
    try:
        return Located(MNIST, f"{folder} (cache)", official.find_files(folder))
    except MnistError as error:
        if not download:
            raise DownloadError(f"no verified MNIST in the cache: {error}") from error
    if folder in _failures:
        raise DownloadError(_failures[folder])
    try:
        mirrors = official.download_files(folder)
    except DownloadError as error:
        _failures[folder] = f"{error} Or restart this process when it is online."
        raise DownloadError(_failures[folder]) from error
    # None is used if another process has just downloaded them all.
    origin = f"{', '.join(mirrors)} (downloaded)" if mirrors else f"{folder} (cache)"
    return Located(MNIST, origin, official.find_files(folder))


@cache
def _warn(reason: str) -> None:
    """Warn once in a process."""
    warnings.warn(
        f"{reason}\nThe offline digits take its place: drawn by code, not MNIST.",
        OfflineDigitsWarning,
        stacklevel=4,
    )
