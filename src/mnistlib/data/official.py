"""The four official files: find them, verify them, download them."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import requests
from tqdm import tqdm

from mnistlib.errors import ChecksumError, DownloadError, MnistError
from mnistlib.files import atomic_write, sha256_of


class OfficialFile(NamedTuple):
    """A file as published: its name, its bytes, and the sums of its two forms."""

    name: str
    size: int
    sha256: str
    unpacked_sha256: str

    @property
    def unpacked_name(self) -> str:
        return self.name.removesuffix(".gz")


# The sizes and sums of the gzipped files are those that TensorFlow Datasets registers
# for mnist 3.0.1; the sums of the unpacked ones were computed from them.
OFFICIAL_FILES = {
    "train_images": OfficialFile(
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train_labels": OfficialFile(
        "train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "test_images": OfficialFile(
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "test_labels": OfficialFile(
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}

# The hosts that TensorFlow Datasets and torchvision download from.
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)

# Seconds to wait for an address of the host, and for each next piece of a file. All
# addresses together have twice the first of them; then the file has to keep this rate.
TIMEOUT = (3.0, 15.0)
MIN_RATE = 20_000  # bytes a second

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
        If the folder or a file is missing or can't be read.
    mnistlib.ChecksumError
        If a file is not the official one.
    """
    try:
        os.listdir(folder)
    except OSError as error:
        raise MnistError(f"{folder}: can't be read: {error.strerror}. {HOW_TO_GET_THEM}") from error
    paths = {}
    for key, file in OFFICIAL_FILES.items():
        paths[key] = _find(folder, file)
        if paths[key] is None:
            raise MnistError(
                f"{folder}: {file.name} and {file.unpacked_name} are missing. {HOW_TO_GET_THEM}"
            )
    return paths


def _find(folder: Path, file: OfficialFile) -> Path | None:
    """Return the verified file, or None if it isn't there."""
    for name, expected in (file.name, file.sha256), (file.unpacked_name, file.unpacked_sha256):
        path = folder / name
        if not os.path.lexists(path):
            continue
        try:
            found = sha256_of(path)
        except OSError as error:
            raise MnistError(f"{path}: can't be read: {error.strerror}") from error
        if found != expected:
            raise ChecksumError(
                f"{path} is not the official MNIST file: its SHA-256 sum is {found}, "
                f"expected {expected}. Replace or remove it."
            )
        return path
    return None


def download_files(
    folder: Path,
    mirrors: Iterable[str] = MIRRORS,
    timeout: tuple[float, float] = TIMEOUT,
) -> list[str]:
    """Download the official files that a folder lacks, verified, each whole or not at all.

    Several processes may do this at once.

    Parameters
    ----------
    folder
        Where the files go; made if needed.
    mirrors
        Base addresses. One that fails, or is slower than ``MIN_RATE``, is left for the
        next, which is asked only for what is still missing.
    timeout
        Seconds to wait for a connection, and for each next piece of a file.

    Returns
    -------
    list of str
        The mirrors that gave a file; none if nothing was missing.

    Raises
    ------
    mnistlib.DownloadError
        If a file is still missing when every mirror was asked.
    mnistlib.MnistError
        If the files can't be written.
    """
    missing, used, failures = [], [], []
    for file in OFFICIAL_FILES.values():
        try:
            if _find(folder, file) is None:
                missing.append(file)
        except MnistError as error:
            missing.append(file)
            failures.append(f"- {error}")
    for mirror in mirrors:
        try:
            while missing:
                with atomic_write(folder / missing[0].name) as target:
                    target.write(_fetch(mirror + missing[0].name, missing[0], timeout))
                missing.pop(0)
                if mirror not in used:
                    used.append(mirror)
        except DownloadError as error:
            failures.append(f"- {mirror}{missing[0].name}: {error}")
    if missing:
        lines = ["MNIST could not be downloaded:", *failures, HOW_TO_GET_THEM]
        raise DownloadError("\n".join(lines))
    return used


def _fetch(url: str, file: OfficialFile, timeout: tuple[float, float]) -> bytes:
    """Return a file's verified content; why there is none is the error's text.

    A socket's timeout starts anew with each of a host's addresses and with each byte,
    so this asks in a thread, and leaves it when the whole takes too long.
    """
    content, failures = bytearray(), []

    def get() -> None:
        try:
            # The file as it is: neither packed once more on the way, nor unpacked here.
            headers = {"Accept-Encoding": "identity"}
            with requests.get(url, stream=True, timeout=timeout, headers=headers) as response:
                if response.status_code != 200:
                    raise DownloadError(f"HTTP status {response.status_code}")
                for piece in response.raw.stream(2**13, decode_content=False):
                    content.extend(piece)
                    bar.update(len(piece))
                    if len(content) > file.size:
                        raise DownloadError(f"longer than the official {file.size:,} bytes")
        # The layers below raise half a dozen families of errors.
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=get, daemon=True)
    started = time.monotonic()
    with tqdm(desc=file.name, total=file.size, unit="B", unit_scale=True, ncols=79) as bar:
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            seconds = time.monotonic() - started
            if seconds > (timeout[1] + len(content) / MIN_RATE if content else 2 * timeout[0]):
                raise DownloadError(f"too slow: no answer in time, {seconds:.0f} seconds")
    if failures:
        raise DownloadError(_reason(failures[0])) from failures[0]
    if len(content) < file.size:
        raise DownloadError(f"ended after {len(content):,} of {file.size:,} bytes")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DownloadError("the file has the wrong SHA-256 sum")
    return bytes(content)


def _reason(error: Exception) -> str:
    """Say in one line why a mirror failed."""
    text = f"{error}" or type(error).__name__
    # A body that stops halfway times out as a plain ConnectionError.
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return "no answer in time"
    if "NewConnectionError" in text or "NameResolutionError" in text:
        return "no connection"
    return text.splitlines()[0]
