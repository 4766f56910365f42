"""What more processes cost and bring: chapter 12's measurements.

    python benchmarks/scaling.py [ALL_REDUCE] [STEP] [BATCH_SIZE ...]

It takes some six minutes, or less for each name, and writes ``benchmarks/scaling.json``.
The chapter holds the same numbers under the same names; a test compares them. Each process
computes with one thread; where there are fewer cores than processes, they share. Bound to
a core of its own, a process would hold up itself: what it waits with and what it sends with
are two threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import environment  # noqa: F401  before what reads it
import jax
import numpy as np
from compare import write_record
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from mnistlib.data import load
from mnistlib.distributed.launching import free_port
from mnistlib.distributed.parts import draw_params
from mnistlib.distributed.training import batch_mesh, step
from mnistlib.jax_mlp import accuracy, to_device, train_epoch

TARGET = Path(__file__).with_suffix(".json")
MESSAGES = [4 * 4**power * 1000 for power in range(8)]  # 4 kB to 66 MB
BATCHES = [32, 64, 128, 256, 512]
NUM_PROCESSES = (1, 2, 4)
SEEDS = range(5)
AIM, MAX_EPOCHS = 0.97, 20
BATCH_SIZES = [128, 512, 2048, 8192]
RATES = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]


def milliseconds(function: Callable[[], object], seconds: float = 0.7) -> list[float]:
    """Time a function; what a tenth of its calls stay below, and what half of them do."""
    jax.block_until_ready(function())
    times: list[float] = []
    # All processes have to call it equally often: the first call says how often that is.
    start = time.perf_counter()
    jax.block_until_ready(function())
    calls = float(max(20, min(200, seconds // (time.perf_counter() - start + 1e-6))))
    calls = int(np.min(multihost_utils.process_allgather(np.float32(calls))))
    for _ in range(calls):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return [float(f"{1e3 * np.percentile(times, share):.3g}") for share in (10, 50)]


def worker(processes: int, process: int, address: str, what: str) -> None:
    """Measure as one of some processes; the first prints what it found."""
    if processes > 1:
        jax.distributed.initialize(address, processes, process)
    mesh = batch_mesh(processes)
    whole, dealt = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("batch"))
    found = {}
    if what == "ALL_REDUCE":
        add = jax.jit(
            jax.shard_map(
                lambda part: lax.psum(part, "batch"),
                mesh=mesh, in_specs=PartitionSpec("batch"), out_specs=PartitionSpec(),
            )
        )  # fmt: skip
        for size in MESSAGES:
            part = np.ones((1, size // 4), np.float32)
            array = jax.make_array_from_process_local_data(dealt, part)
            found[size] = milliseconds(partial(add, array))
    else:
        params = jax.device_put(draw_params(0), whole)
        for size in BATCHES:
            local = size // processes
            images = np.random.default_rng(0).random((local, 784), np.float32)
            targets = np.eye(10, dtype=np.float32)[np.arange(local) % 10]
            batch = [
                jax.make_array_from_process_local_data(dealt, each) for each in (images, targets)
            ]

            def one_step(batch=batch):
                nonlocal params
                params, loss = step(params, *batch, 0.0)
                return loss

            found[size] = milliseconds(one_step)
    if process == 0:
        print(json.dumps(found))


def measured(what: str) -> dict[str, dict[str, list[float]]]:
    """Start processes, each with one thread; milliseconds by their number and the size."""
    found = {}
    settings = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    for processes in NUM_PROCESSES:
        if what == "ALL_REDUCE" and processes == 1:
            continue
        address = f"127.0.0.1:{free_port()}"
        started = [
            subprocess.Popen(
                [sys.executable, __file__, "--worker", str(processes), str(process), address, what],
                stdout=subprocess.PIPE,
                env={**os.environ, **settings},
                text=True,
            )
            for process in range(processes)
        ]
        outputs = [each.communicate()[0] for each in started]
        found[str(processes)] = json.loads(outputs[0].strip().splitlines()[-1])
        print(what, processes, found[str(processes)], flush=True)
    return found


@cache
def digits() -> list[tuple[jax.Array, jax.Array]]:
    """Training and validation digits, on the device."""
    return [to_device(*split) for split in load().split_train()]


def epochs_to_aim(batch_size: int, rate: float, seed: int) -> float | None:
    """How many epochs it takes to AIM on the validation set, looking four times in each.

    None if it takes more than MAX_EPOCHS, or the loss has gone to infinity.
    """
    (images, targets), validation = digits()
    params = jax.tree.map(jax.numpy.asarray, draw_params(seed))
    num_steps = len(images) // batch_size
    quarter = -(-num_steps // 4) * batch_size
    for epoch in range(MAX_EPOCHS):
        order = np.random.default_rng((seed, epoch)).permutation(len(images))
        order = order[: num_steps * batch_size]
        for start in range(0, len(order), quarter):
            part = order[start : start + quarter]
            params = train_epoch(params, images, targets, part, rate, batch_size=batch_size)
            if float(accuracy(params, *validation)) >= AIM:
                return round(epoch + (start + len(part)) / len(order), 2)
        if not np.isfinite(np.asarray(params[-1][1])).all():
            return None
    return None


def epochs(batch_size: int, first_rate: float | None) -> dict[str, object]:
    """Epochs to AIM for a size of batch: with the rate scaled linearly, and chosen again."""
    # Chosen from one seed; those that are reported are others.
    tries = {rate: epochs_to_aim(batch_size, rate, seed=100) for rate in RATES}
    rate = min(RATES, key=lambda each: tries[each] or MAX_EPOCHS + 1)
    linear = (first_rate or rate) * batch_size / BATCH_SIZES[0]
    return {
        "tries": tries,
        "linear rate": linear,
        "epochs at linear rate": [epochs_to_aim(batch_size, linear, seed) for seed in SEEDS],
        "chosen rate": rate,
        "epochs at chosen rate": [epochs_to_aim(batch_size, rate, seed) for seed in SEEDS],
    }


def main(names: list[str]) -> None:
    record = json.loads(TARGET.read_bytes()) if TARGET.exists() else {}
    for name in names or ["ALL_REDUCE", "STEP", *map(str, BATCH_SIZES)]:
        if name.isdigit():
            found = record.setdefault("EPOCHS", {})
            first = found.get(str(BATCH_SIZES[0]), {}).get("chosen rate")
            found[name] = epochs(int(name), None if int(name) == BATCH_SIZES[0] else first)
            print(name, found[name], flush=True)
        else:
            record[name] = measured(name)
        write_record(TARGET, record)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    else:
        main(sys.argv[1:])
