"""Files and folders that appear whole or not at all, and where they go."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import platformdirs

from mnistlib.errors import MnistError

# What temporary files and folders are called; nothing else is ever removed.
TEMPORARY = re.compile(r"\.mnistlib-[0-9a-f]{16}")
MAX_AGE = 24 * 3600.0  # seconds after which a temporary file was left by a killed run


def cache_dir() -> Path:
    """Return the folder for what mnistlib downloads and prepares.

    Returns
    -------
    pathlib.Path
        ``MNISTLIB_CACHE_DIR`` where it is set, else the user's cache folder of
        this operating system. It need not exist.

    Raises
    ------
    mnistlib.MnistError
        If it lies in a home folder, and there is none.
    """
    folder = os.environ.get("MNISTLIB_CACHE_DIR")
    try:
        return Path(folder or platformdirs.user_cache_dir("mnistlib")).expanduser()
    except RuntimeError as error:  # pathlib's, or that of newer releases of platformdirs
        raise MnistError(
            f"{folder or 'the cache'}: there is no such home folder: set MNISTLIB_CACHE_DIR to a "
            "folder for the digits that mnistlib downloads and prepares"
        ) from error


def open_to_read(path: str | os.PathLike) -> BinaryIO:
    """Open a file for reading bytes, but nothing that isn't one: a FIFO's open never returns.

    Raises
    ------
    OSError
        If it can't be opened, or isn't a regular file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return open(path, "rb")


def sha256_of(path: str | os.PathLike) -> str:
    """Return a file's SHA-256 sum, in hexadecimal; errors as :func:`open_to_read`."""
    with open_to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a temporary file that becomes ``path`` when the block ends well.

    The folder is made if needed. A file that is there stays as it was if the block
    raises; else it is replaced in one step, and its permissions stay.

    Raises
    ------
    mnistlib.MnistError
        If it can't be written, for which every ``OSError`` in the block is taken, or
        something else than a file has that name.
    """
    path = _absolute(path)
    with temporary_beside(path) as temporary:
        if path.exists() and not path.is_file():
            raise OSError(errno.EEXIST, "something else than a file has that name")
        with open(temporary, "xb") as file:
            if path.exists():
                shutil.copymode(path, temporary)
            yield file
        os.replace(temporary, path)


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Fill a temporary folder that becomes ``path`` when the block ends well, else is removed.

    Raises
    ------
    mnistlib.MnistError
        If something has that name before, or when the block ends: that stays. Or if
        it can't be written, for which every ``OSError`` in the block is taken.
    """
    path = _absolute(path)
    if os.path.lexists(path):
        raise MnistError(f"{path}: is there already: remove it, or choose another name")
    with temporary_beside(path) as scratch:
        scratch.mkdir()
        yield scratch
        if os.path.lexists(path):  # a rename would take the place of an empty folder
            raise MnistError(f"{path}: another process wrote it in the meantime")
        scratch.rename(path)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Give a new name beside ``path``, whose folder is made, and remove what has it at the end.

    What killed runs left there goes, too, when nobody wrote to it for a day. An
    ``OSError`` becomes an ``MnistError``: ``path`` can't be written.
    """
    temporary = path.parent / f".mnistlib-{secrets.token_hex(8)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for entry in path.parent.iterdir():
            if TEMPORARY.fullmatch(entry.name) and _age(entry) > MAX_AGE:
                _remove(entry)
        yield temporary
    except OSError as error:
        hint = ""
        with suppress(MnistError):
            if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(cache_dir())):
                hint = ". It is in the cache: set MNISTLIB_CACHE_DIR to move that elsewhere"
        raise MnistError(f"{path}: can't be written: {error}{hint}") from error
    finally:
        _remove(temporary)


def _absolute(path: str | os.PathLike) -> Path:
    """Resolve ``..`` and links in all but the last part, so that a check and a rename agree."""
    path = Path(path)
    return Path(os.path.realpath(path.parent), path.name)


def _age(path: Path) -> float:
    """Return the seconds since something in ``path`` was last written; 0 if it is gone."""
    try:
        return time.time() - max(each.lstat().st_mtime for each in (path, *path.rglob("*")))
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
