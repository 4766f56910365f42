"""A SavedModel behind a real HTTP server.

The server is KServe's, which needs other versions of things than the book, so it lives in an
environment of its own, made once in the cache: ``signatures.py`` turns requests into calls,
``server.py`` puts that behind HTTP, and :func:`serve` runs it in a process of its own.
``python -m mnistlib.serving FOLDER`` does so until Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from mnistlib.errors import MnistError
from mnistlib.files import atomic_folder, cache_dir, sha256_of

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"  # exact; `make lock` writes it
START_SECONDS = 120
STOP_SECONDS = 10  # for requests that are being answered


class Server(NamedTuple):
    """A server that runs.

    Attributes
    ----------
    url : str
        Its address, as ``http://127.0.0.1:8501``.
    process
        It, a ``subprocess.Popen``; ends with this process, however that ends.
    """

    url: str
    process: subprocess.Popen


def environment() -> Path:
    """Return the Python of the server's environment, which is made if it isn't there.

    That needs uv and its package index, and takes a minute or two the first time. With
    ``MNISTLIB_SERVING=off`` there is none.

    Raises
    ------
    mnistlib.MnistError
        If it can't be made.
    """
    if os.environ.get("MNISTLIB_SERVING") == "off":
        raise MnistError("MNISTLIB_SERVING=off forbids the server: unset it")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_dir() / f"serving-{version}-{sha256_of(REQUIREMENTS)[:16]}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        try:
            with atomic_folder(folder) as scratch:
                uv("venv", "--python", sys.executable, scratch)
                uv("pip", "install", "--quiet", "--python", scratch, "--requirements", REQUIREMENTS)
        except MnistError:
            if not python.exists():  # else another process made it meanwhile
                raise
    return python


def uv(*arguments: object) -> None:
    program = shutil.which("uv", path=Path(sys.executable).parent) or shutil.which("uv")
    if program is None:
        raise MnistError("uv isn't here, which makes the server's environment: pip install uv")
    finished = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8"
    )
    if finished.returncode:
        raise MnistError(
            f"the server's environment can't be made: {finished.stderr.strip()}: "
            "is there a connection to the package index?"
        )


@contextmanager
def serve(
    folder: str | os.PathLike, *, name: str = "mnist", host: str = "127.0.0.1", port: int = 0
) -> Iterator[Server]:
    """Serve a SavedModel while the block lasts.

    Parameters
    ----------
    folder
        Of versions ``1``, ``2`` and so on, or a SavedModel itself.
    name
        Of the model in the addresses, such as ``/v1/models/mnist:predict``.
    host, port
        Where to listen: on this machine alone, and on any port that is free, unless told.

    Raises
    ------
    mnistlib.MnistError
        If the environment can't be made, or the server doesn't start.
    """
    command = [environment(), HERE / "server.py", folder, "--name", name, "--host", host]
    command += ["--port", port, "--until-stdin-closes"]
    # What belongs to this process's environment isn't the server's.
    settings = {n: value for n, value in os.environ.items() if not n.startswith("PYTHON")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            env={"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **settings},
            stderr=log,
            **pipes,
        )
        with process:
            too_late = threading.Timer(START_SECONDS, process.kill)
            too_late.start()
            try:
                url = process.stdout.readline().strip()
            finally:
                too_late.cancel()
            if not url:
                process.kill()
                log.seek(0)
                last = (log.read().strip().splitlines() or ["it was killed"])[-1]
                raise MnistError(f"the server didn't start: {last}")
            try:
                yield Server(url, process)
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                process.kill()
