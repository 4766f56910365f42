"""The four official files: find them, verify them, download them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pooch
import requests

from mnistlib.errors import ChecksumError, DownloadError, MnistError


class OfficialFile(NamedTuple):
    """A file as published: its name, and the sums of its two forms."""

    name: str
    sha256: str
    unpacked_sha256: str

    @property
    def unpacked_name(self) -> str:
        return self.name.removesuffix(".gz")


# The sums of the gzipped files are those that TensorFlow Datasets registers
# for mnist 3.0.1; those of the unpacked ones were computed from them.
OFFICIAL_FILES = {
    "train_images": OfficialFile(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train_labels": OfficialFile(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "test_images": OfficialFile(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "test_labels": OfficialFile(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}

# The hosts that TensorFlow Datasets and torchvision download from.
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)

# Seconds to wait for a connection, and for each next piece of a file.
TIMEOUT = (3.0, 15.0)

HOW_TO_GET_THEM = (
    "Get the four files (" + ", ".join(file.name for file in OFFICIAL_FILES.values()) + ") "
    "from a machine that is online, put them into one folder, and set MNISTLIB_DATA_DIR to it."
)


def find_files(folder: Path) -> dict[str, Path]:
    """Find the four files in a folder, as published or unpacked, and verify them.

    Parameters
    ----------
    folder
        The folder; a gzipped file there is preferred to an unpacked one.

    Returns
    -------
    dict of str to pathlib.Path
        A path for each key of ``OFFICIAL_FILES``.

    Raises
    ------
    mnistlib.MnistError
        If there is no such folder or a file is missing.
    mnistlib.ChecksumError
        If a file is not the official one.
    """
    if not os.path.isdir(folder):
        raise MnistError(f"{folder}: no such folder. {HOW_TO_GET_THEM}")
    paths = {}
    for key, file in OFFICIAL_FILES.items():
        forms = {file.name: file.sha256, file.unpacked_name: file.unpacked_sha256}
        name = next((name for name in forms if os.path.isfile(folder / name)), None)
        if name is None:
            raise MnistError(f"{folder}: {' and '.join(forms)} are missing. {HOW_TO_GET_THEM}")
        paths[key] = folder / name
        verify(paths[key], forms[name])
    return paths


def verify(path: Path, expected: str) -> None:
    """Check a file's SHA-256 sum.

    Parameters
    ----------
    path
        The file.
    expected
        The sum it must have, in hexadecimal.

    Raises
    ------
    mnistlib.ChecksumError
        If it has another.
    mnistlib.MnistError
        If it can't be read.
    """
    try:
        found = pooch.file_hash(path)
    except OSError as error:
        raise MnistError(f"{path}: can't be read: {error.strerror}") from error
    if found != expected:
        raise ChecksumError(
            f"{path} is not the official MNIST file: its SHA-256 sum is {found}, "
            f"expected {expected}. Replace or remove it."
        )


def download_files(
    folder: Path,
    mirrors: Iterable[str] = MIRRORS,
    timeout: tuple[float, float] = TIMEOUT,
) -> list[str]:
    """Download the official files that a folder lacks, verified, each whole or not at all.

    A mirror that fails is left for the next one, which is asked only for what
    is still missing. Several processes may do this at once: each writes a
    temporary file of its own and renames it when its sum is right.

    Parameters
    ----------
    folder
        Where the files go; made if needed.
    mirrors
        Base addresses, tried in order.
    timeout
        Seconds to wait for a connection, and for each next piece of a file.

    Returns
    -------
    list of str
        The mirrors that gave a file.

    Raises
    ------
    mnistlib.DownloadError
        If a file is still missing when every mirror was asked.
    """
    # pooch logs one line a file to stderr; the progress bar says as much.
    pooch.get_logger().setLevel(logging.WARNING)
    missing = [file for file in OFFICIAL_FILES.values() if not _is_verified(folder, file)]
    used, failures = [], []
    for mirror in mirrors:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _check_that_it_answers(mirror, timeout[0])
            while missing:
                _retrieve(mirror, missing[0], folder, timeout)
                missing.pop(0)
                used = [*used, mirror] if mirror not in used else used
            return used
        # ValueError is how pooch says that a sum is wrong.
        except (requests.RequestException, ValueError) as error:
            failures.append(f"- {mirror}{missing[0].name}: {_reason(error)}")
        except OSError as error:
            raise DownloadError(f"{folder}: can't be written: {error}") from error
    raise DownloadError(
        "MNIST could not be downloaded:\n" + "\n".join(failures) + "\n" + HOW_TO_GET_THEM
    )


def _is_verified(folder: Path, file: OfficialFile) -> bool:
    try:
        verify(folder / file.name, file.sha256)
    except MnistError:
        return False
    return True


def _check_that_it_answers(mirror: str, timeout: float) -> None:
    """Raise if a mirror doesn't answer in twice the timeout.

    The timeout of a connection holds for each address of a host, and a host may
    have a dozen. So ask in a thread, and don't wait for it.
    """
    failures: list[Exception] = []

    def ask() -> None:
        try:
            requests.head(mirror, timeout=timeout)
        except requests.RequestException as error:
            failures.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(2 * timeout)
    if thread.is_alive():
        raise requests.ConnectTimeout
    if failures:
        raise failures[0]


def _retrieve(mirror: str, file: OfficialFile, folder: Path, timeout: tuple[float, float]) -> None:
    pooch.retrieve(
        mirror + file.name,
        known_hash=f"sha256:{file.sha256}",
        fname=file.name,
        path=folder,
        downloader=pooch.HTTPDownloader(progressbar=True, chunk_size=2**13, timeout=timeout),
    )


def _reason(error: Exception) -> str:
    """Say in one line why a mirror failed."""
    # A body that stops halfway times out as a plain ConnectionError.
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, requests.HTTPError):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return "the file has the wrong SHA-256 sum"
    return str(error).splitlines()[0]
