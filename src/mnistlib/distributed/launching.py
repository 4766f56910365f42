"""Several processes of one program on this machine: what a launcher does on many."""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mnistlib.data import load
from mnistlib.errors import MnistError


class Ended(NamedTuple):
    """What a process left.

    Attributes
    ----------
    status : int
        0 if all went well; -9 if it was killed.
    output, error : str
        What it printed.
    """

    status: int
    output: str
    error: str

    @property
    def losses(self) -> dict[int, float]:
        """The loss of each step, as the program prints them."""
        found = re.findall(r"^step (\d+) loss (\S+)$", self.output, re.MULTILINE)
        return {int(number): float(loss) for number, loss in found}


class Worker:
    """One process, on this machine's CPU.

    Parameters
    ----------
    module
        What to run, as ``"mnistlib.distributed"``.
    arguments
        Its arguments.
    environment
        What to set beside this process's own environment.
    """

    def __init__(
        self, module: str, *arguments: object, environment: dict[str, str] | None = None
    ) -> None:
        # In files: a process whose pipe is full, and not read, would wait for ever.
        self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdout=self._files[0],
            stderr=self._files[1],
            # Processes can't share a GPU's memory.
            env={
                **os.environ,
                "JAX_PLATFORMS": "cpu",
                "CUDA_VISIBLE_DEVICES": "-1",
                **(environment or {}),
            },
        )

    def printed(self, which: int = 0) -> str:
        """Return its output so far, or (1) its errors."""
        # The process writes at the same place of the file that a seek would move.
        descriptor = self._files[which].fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Return when it has printed a text; MnistError if it ends, or takes too long."""
        end = time.monotonic() + seconds
        while text not in self.printed():
            if self.process.poll() is not None or time.monotonic() > end:
                raise MnistError(f"no {text!r} was printed: {self.printed(1) or 'no error'}")
            time.sleep(0.02)

    def wait(self, seconds: float | None = 120) -> Ended:
        """Wait until it ends; one that takes longer is killed. None sets no limit."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return Ended(status, self.printed(), self.printed(1))


def free_port() -> int:
    """Return a port of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(num_processes: int, *arguments: object) -> list[Worker]:
    """Start ``python -m mnistlib.distributed`` so many times, each told which one it is.

    ``{process}`` in an argument becomes the process's number.
    """
    address = f"127.0.0.1:{free_port()}"
    together = ["--coordinator", address, "--processes", num_processes, *arguments]
    return [
        Worker(
            "mnistlib.distributed",
            *(str(each).replace("{process}", str(process)) for each in together),
            *("--process", process),
        )
        for process in range(num_processes)
    ]


def run(num_processes: int, *arguments: object, seconds: float | None = 120) -> list[Ended]:
    """Start them, and wait until all have ended, or kill what takes longer.

    Raises
    ------
    mnistlib.MnistError
        If one of them fails; the message is its own, and that of the one with the cause.
    """
    ended = [worker.wait(seconds) for worker in start(num_processes, *arguments)]
    # The others only say that one is gone.
    failed = sorted((e for e in ended if e.status), key=lambda e: "another process" in e.error)
    if failed:
        raise MnistError(failed[0].error.strip() or f"a process ended with {failed[0].status}")
    return ended


def main(arguments: Sequence[str]) -> int:
    """Train with N processes: ``python -m mnistlib.distributed.launching N FOLDER ...``.

    A folder that isn't there is written: the training images, in N shards.
    """
    parser = argparse.ArgumentParser("python -m mnistlib.distributed.launching")
    parser.add_argument("number", type=int, help="of processes")
    parser.add_argument("folder", type=Path, help="of TFRecords")
    options, rest = parser.parse_known_args(arguments)
    try:
        if options.number < 1:
            raise MnistError(f"{options.number} processes: start one or more")
        if not options.folder.exists():
            from mnistlib import tfrecord

            images, labels = load().train
            rows = {"image": images, "label": labels}
            tfrecord.write(options.folder, rows, shard_size=-(-len(labels) // options.number))
        for each in run(options.number, options.folder, *rest, seconds=None):
            print(each.output, end="")
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
