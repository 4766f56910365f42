"""Train as one of several processes: ``python -m mnistlib.distributed --help``."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import jax

from mnistlib.distributed.training import Settings, check_port, train
from mnistlib.errors import MnistError

RESUME = "start all again, with the same --checkpoints"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m mnistlib.distributed", description=__doc__)
    add, usual = parser.add_argument, Settings()
    add("folder", type=Path, help="of TFRecords, as mnistlib.tfrecord.write leaves them")
    add("--steps", type=int, default=100, help="train until this one")
    add(
        "--batch-size",
        type=int,
        default=usual.batch_size,
        help="examples of a step, over all processes",
    )
    add("--learning-rate", type=float, default=usual.learning_rate)
    add("--seed", type=int, default=usual.seed)
    add("--checkpoints", type=Path, help="a folder to save to, and to go on from")
    add("--save-every", type=int, default=10, help="steps")
    add("--cluster", action="store_true", help="Open MPI, Slurm or a cloud says which process I am")
    add("--coordinator", help="address and port of process 0, as 10.0.0.1:1234")
    add("--processes", type=int, default=1)
    add("--process", type=int, default=0, help="which of them this is")
    add("--patience", type=int, default=30, help="seconds to wait for another process")
    options = parser.parse_args(arguments)
    try:
        join(options)
        run(options)
    except MnistError as error:
        leave(options.process, str(error))
    except jax.errors.JaxRuntimeError as error:
        leave(options.process, f"lost another process ({str(error).splitlines()[0]}): {RESUME}")
    return 0


def leave(process: int, message: str) -> NoReturn:
    """Say what is wrong and end at once; at sys.exit, JAX would wait for the others."""
    print(f"process {process}: {message}", file=sys.stderr, flush=True)
    os._exit(1)


@contextmanager
def limit(options: argparse.Namespace, message: str) -> Iterator[None]:
    """Leave with a message if the block takes too long, in whatever it waits."""
    text = f"{message} in {options.patience} s"
    watchdog = threading.Timer(options.patience, leave, [options.process, text])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def join(options: argparse.Namespace) -> None:
    """Meet the other processes."""
    # JAX's own limits end a process with a stack trace: longer than ours.
    limits = ("initialization_timeout", "heartbeat_timeout_seconds", "shutdown_timeout_seconds")
    patience = dict.fromkeys(limits, 2 * options.patience + 10)
    if not options.cluster and options.processes == 1:
        return
    if not options.cluster and options.coordinator is None:
        raise MnistError("--processes without --coordinator: say where process 0 listens")
    hint = "start all of them, with the same --coordinator and --processes: they didn't meet"
    with limit(options, hint):
        if options.cluster:
            try:
                jax.distributed.initialize(**patience)
            except ValueError as error:
                text = f"--cluster, but nothing launched this: mpirun or srun? ({error})"
                raise MnistError(text) from error
            options.process = jax.process_index()
        else:
            if options.process == 0:
                check_port(options.coordinator)
            jax.distributed.initialize(
                options.coordinator, options.processes, options.process, **patience
            )


def run(options: argparse.Namespace) -> None:
    """Train; each process says what it is, the first one also each step's loss."""
    here = f"process {jax.process_index()} of {jax.process_count()}"
    print(f"{here}: {jax.local_device_count()} of {jax.device_count()} devices", flush=True)
    settings = Settings(options.batch_size, options.learning_rate, options.seed)
    steps = train(options.folder, settings, options.steps, options.checkpoints, options.save_every)
    while True:
        # A step waits for all processes: if one is dead, the others learn it here.
        with limit(options, f"another process is dead or cut off, {RESUME}: no step"):
            number, loss = next(steps, (None, None))
        if number is None:
            return
        if jax.process_index() == 0:
            print(f"step {number} loss {loss!r}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
