"""Run benchmarks, each in a process of its own, and print a line for each comparison.

    python benchmarks/ledger.py [--quick | --record] [name ...]

A line has the name, the source's way, ours and the ratio. With --record it writes
benchmarks/ledger.json, from which the book's ledger is built.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import environment  # noqa: F401  the benchmarks' processes inherit it
from compare import Comparison, Reproduction, write_record

from mnistlib import MnistError
from mnistlib.data import load
from mnistlib.machine import current_device, current_versions

RECORD = Path(__file__).with_suffix(".json")
BENCHMARKS = ("keras_tfds", "pipelines", "softmax", "tfrecords", "jax_mlp", "serving")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="under five minutes, comparisons only")
    kind.add_argument("--record", action="store_true", help="replace the committed record")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; else all of them")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(unknown)}: choose from {', '.join(BENCHMARKS)}")
    if options.record and options.names:
        parser.error("the record is of all benchmarks: name none")
    try:
        load()  # before minutes are spent
        found = run(options.names or BENCHMARKS, options.quick)
        if options.record:
            write_record(RECORD, record(*found))
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(
    names: tuple[str, ...] | list[str], quick: bool
) -> tuple[list[Comparison], list[Reproduction]]:
    """Run benchmarks in turn, print what they find, and return it."""
    compared, reproduced = [], []
    print(f"{'':44} {'source':>12} {'ours':>12} {'':10} {'ratio':>7}")
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in names:
            new_compared, new_reproduced = pool.submit(measure, name, quick).result()
            print(*new_compared, *new_reproduced, sep="\n", flush=True)
            compared += new_compared
            reproduced += new_reproduced
    return compared, reproduced


def measure(name: str, quick: bool) -> tuple[list[Comparison], list[Reproduction]]:
    benchmark = importlib.import_module(name)
    return benchmark.comparisons(quick), [] if quick else benchmark.reproductions()


def record(compared: list[Comparison], reproduced: list[Reproduction]) -> dict[str, object]:
    """Return what is kept: measurements, and nothing that follows from them."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": current_versions("tensorflow") | current_versions("jax"),
        "devices": sorted({current_device("tensorflow"), current_device("jax")}),
        "comparisons": [asdict(each) for each in compared],
        "reproductions": [asdict(each) for each in reproduced],
    }


if __name__ == "__main__":
    sys.exit(main())
