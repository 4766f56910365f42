"""Files that are made once, kept in the cache, and never trusted for their names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from mnistlib.files import atomic_write, open_to_read, sha256_of, temporary_beside

SUMS = "sha256.json"  # of every file, by name; written last


def make_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Let ``make`` fill a folder, unless its files are there and as they were made.

    It writes them into the folder that it is given, and the same ones each time:
    several processes may do this at once, and one may mend what others read, so each
    file gets its name when it is complete, and the sums come last.

    Raises
    ------
    mnistlib.MnistError
        If they can't be written.
    """
    if is_intact(folder):
        return
    with temporary_beside(folder) as scratch:
        scratch.mkdir()
        make(scratch)
        paths = [path for path in sorted(scratch.rglob("*")) if path.is_file()]
        sums = {path.relative_to(scratch).as_posix(): sha256_of(path) for path in paths}
        for name in sums:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(scratch / name, folder / name)
    with atomic_write(folder / SUMS) as file:
        file.write(json.dumps(sums, indent=1).encode())


def is_intact(folder: Path) -> bool:
    """Say whether every file of a folder has the sum that it had when it was made."""
    try:
        with open_to_read(folder / SUMS) as file:
            sums = json.load(file)
        return bool(sums) and all(sha256_of(folder / name) == sums[name] for name in sums)
    except (OSError, ValueError, TypeError):
        return False
