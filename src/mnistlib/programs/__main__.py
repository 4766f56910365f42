"""Train with one program, from some seeds, and print what came of it as JSON.

For each seed, the accuracies on the validation set and the seconds of the epochs, and the
accuracy on the test set; and the most memory that the process has held, in megabytes.
"""

import argparse
import json
import re
import sys
from importlib import import_module
from pathlib import Path

from mnistlib.data import load
from mnistlib.errors import MnistError
from mnistlib.programs import NAMES, accuracy, find_program, run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("mnistlib.programs", description=__doc__.splitlines()[0])
    parser.add_argument("program", choices=NAMES)
    parser.add_argument("--seeds", type=int, default=1, help="how many: 0, 1, and so on")
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        mnist = load()
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    splits = mnist.split_train(5_000)
    program = find_program(options.program)
    if options.program == "keras":
        # Imports TensorFlow, too, where it is installed: not when a clock runs.
        import_module("keras").utils.set_random_seed(0)
    runs = [run(program, *splits, seed, options.epochs) for seed in range(options.seeds)]
    result = {
        "accuracies": [each.accuracies for each in runs],
        "seconds": [each.seconds for each in runs],
        "test": [accuracy(each.classifier, mnist.test) for each in runs],
        "megabytes": peak_megabytes(),
    }
    print(json.dumps(result))
    return 0


def peak_megabytes() -> int:
    """Return the most memory that this process has held so far."""
    if sys.platform == "win32":
        import psutil  # comes with ipykernel

        return psutil.Process().memory_info().peak_wset // 2**20
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
    # Not `resource`: on Linux it counts what the parent held when it forked.
    [kilobytes] = re.findall(
        r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE
    )
    return int(kilobytes) // 2**10


if __name__ == "__main__":
    sys.exit(main())
