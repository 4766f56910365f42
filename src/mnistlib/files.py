"""Files and folders that appear whole or not at all, and where they go."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pooch

from mnistlib.errors import MnistError


def cache_dir() -> Path:
    """Return the folder for what mnistlib downloads and prepares.

    Returns
    -------
    pathlib.Path
        ``MNISTLIB_CACHE_DIR`` where it is set, else the user's cache folder of
        this operating system. It need not exist.
    """
    folder = os.environ.get("MNISTLIB_CACHE_DIR") or pooch.os_cache("mnistlib")
    return Path(os.path.expanduser(folder))


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a temporary file that becomes ``path`` when the block ends well.

    Parameters
    ----------
    path
        The file to write. Its folder is made if needed; a file that is there
        is replaced in one step, so a reader sees the old one or the new one.

    Raises
    ------
    mnistlib.MnistError
        If nothing can be written there.

    Yields
    ------
    BinaryIO
        The temporary file, open for writing bytes. If the block raises, it is
        removed and ``path`` stays as it was.
    """
    path = Path(path)
    with _explain(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        # mkstemp makes files that only their owner can read.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Fill a temporary folder that becomes ``path`` when the block ends well.

    Parameters
    ----------
    path
        The folder to make. If another process makes it in the meantime, that one
        stays, and this one is dropped: both were made in the same way.

    Raises
    ------
    mnistlib.MnistError
        If nothing can be written there.

    Yields
    ------
    pathlib.Path
        The temporary folder, beside ``path``. If the block raises, it is removed.
    """
    with _explain(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.")
    with temporary as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        yield content
        try:
            content.rename(path)
        except OSError:
            if not path.is_dir():
                raise


@contextmanager
def _explain(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MnistError(f"{path}: can't be written: {error.strerror}") from error
