"""Write the repository's address into the files that name it.

    python tools/set_repository.py owner/name

The address stands in pyproject.toml; wherever else the same address is written
(setup cells, _config.yml, README.md), it is replaced along with it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from mnistlib.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
HOST = "https://github.com/"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not re.fullmatch(r"[\w.-]+/[\w.-]+", arguments[0]):
        print("say which repository: make repository REPO=owner/name", file=sys.stderr)
        return 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    old = project["urls"]["Repository"].removeprefix(HOST)
    for path in files():
        text = path.read_text(encoding="utf-8")
        changed = re.sub(rf"(?<![\w.-]){re.escape(old)}(?![\w.-])", arguments[0], text)
        if changed != text:
            with atomic_write(path) as file:
                file.write(changed.encode())
            print(path.relative_to(ROOT))
    return 0


def files() -> list[Path]:
    """Return the files that may name the repository; pyproject.toml comes last."""
    return [
        *sorted((ROOT / "notebooks").glob("*.ipynb")),
        ROOT / "_config.yml",
        ROOT / "README.md",
        ROOT / "pyproject.toml",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
