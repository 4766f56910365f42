"""Run every benchmark, one process after the other, and keep what was measured.

    python benchmarks/ledger.py [--quick | --record]

Prints a line for each comparison: name, the source's way, ours, ratio. Writes
_build/bench/ledger.json; with --record benchmarks/ledger.json too, from which the
book's ledger is built. Needs real MNIST: the sources' figures are of MNIST.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from mnistlib import MnistError
from mnistlib.data import load
from mnistlib.files import atomic_write
from mnistlib.machine import current_versions

HERE = Path(__file__).parent
BUILT = HERE.parent / "_build" / "bench"
BENCHMARKS = ("keras_tfds", "pipelines", "softmax", "tfrecords", "jax_mlp")
os.environ["MNISTLIB_SOURCE"] = "mnist"  # also for the benchmarks' own processes


def run_all(quick: bool) -> dict[str, object]:
    """Run the benchmarks in turn; return one record of all.

    Raises
    ------
    MnistError
        If a benchmark fails; it has said why.
    """
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": quick,
        "versions": current_versions("tensorflow") | current_versions("jax"),
        "devices": [],
        "comparisons": [],
        "reproductions": [],
    }
    print(f"{'':44} {'source':>12} {'ours':>12} {'':10} {'ratio':>7}", flush=True)
    for name in BENCHMARKS:
        path = BUILT / f"{name}.json"
        path.unlink(missing_ok=True)
        command = [sys.executable, HERE / f"{name}.py", "--json", path]
        if subprocess.run(command + ["--quick"] * quick).returncode:
            raise MnistError(f"benchmarks/{name}.py failed: run it alone")
        part = json.loads(path.read_bytes())
        if part["device"] not in record["devices"]:
            record["devices"].append(part["device"])
        for kind in ("comparisons", "reproductions"):
            record[kind] += part[kind]
    return record


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="under five minutes, comparisons only")
    kind.add_argument("--record", action="store_true", help="replace the committed record")
    options = parser.parse_args()
    try:
        load()  # before minutes are spent
        record = run_all(options.quick)
        written = [BUILT / "ledger.json"] + [HERE / "ledger.json"] * options.record
        for path in written:
            with atomic_write(path) as file:
                file.write((json.dumps(record, indent=1) + "\n").encode())
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
