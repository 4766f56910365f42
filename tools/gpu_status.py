"""Turn pytest's report of chapters that passed on a GPU into what the status page shows.

python tools/gpu_status.py junit.xml status.json
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from mnistlib.data import locate
from mnistlib.files import atomic_write
from mnistlib.machine import current_device, current_versions


def main(arguments: list[str]) -> int:
    report, target = map(Path, arguments)
    status = {
        **read_report(report),
        "data": locate().name,
        "device": current_device("jax"),
        "versions": current_versions("tensorflow") | current_versions("jax"),
    }
    with atomic_write(target) as file:
        file.write((json.dumps(status, indent=1) + "\n").encode())
    return 0


def read_report(path: Path) -> dict[str, object]:
    """Return the day of a JUnit report, and the seconds of each chapter."""
    suite = ElementTree.parse(path).getroot().find("testsuite")
    chapters = defaultdict(lambda: {"seconds": 0.0})
    for case in suite.iter("testcase"):
        # nbval names a cell "notebooks.01_dataset.ipynb" or "notebooks/01_dataset.ipynb".
        stem = case.get("classname").removesuffix(".ipynb").replace("/", ".").split(".")[-1]
        chapters[stem]["seconds"] += float(case.get("time"))
    day = datetime.fromisoformat(suite.get("timestamp")).date().isoformat()
    return {"date": day, "chapters": dict(sorted(chapters.items()))}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
