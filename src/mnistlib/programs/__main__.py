"""Print the most memory that one epoch of one program took, in megabytes."""

import re
import sys
from pathlib import Path

from mnistlib.data import load
from mnistlib.errors import MnistError
from mnistlib.programs import find_program


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("say which program: python -m mnistlib.programs keras", file=sys.stderr)
        return 1
    try:
        next(find_program(arguments[0])(load().train, 0))
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    print(peak_megabytes())
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
    sys.exit(main(sys.argv[1:]))
