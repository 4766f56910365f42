"""Print the most memory that one epoch of one program took, in megabytes."""

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
    status = Path("/proc/self/status")
    if status.exists():
        # Not `resource`: on Linux it counts what the parent held when it forked.
        [line] = [text for text in status.read_text().splitlines() if text.startswith("VmHWM")]
        return int(line.split()[1]) // 2**10
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20  # macOS: bytes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
