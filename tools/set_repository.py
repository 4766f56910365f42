"""Write the repository's address into the files that name it.

    python tools/set_repository.py owner/name [https://site]

The addresses stand in pyproject.toml, that of the site as GitHub publishes it if no other
is given. Wherever else the same addresses are written (setup cells, _config.yml,
README.md), they are replaced along with them. The chapters get badges and links that
work anywhere (``chapter_text.py``).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import chapter_text
from addresses import read_address, site_of

from mnistlib.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    if len(arguments) not in {1, 2} or not re.fullmatch(r"[\w.-]+/[\w.-]+", arguments[0]):
        print("say which repository: make repository REPO=owner/name", file=sys.stderr)
        return 1
    repository, *sites = arguments
    old = read_address(ROOT / "pyproject.toml")
    replaced = {
        old.site: (sites or [site_of(repository)])[0].rstrip("/"),
        old.repository: repository,
    }
    addresses = "|".join(map(re.escape, replaced))
    for path in files():
        text = path.read_text(encoding="utf-8")
        changed = re.sub(rf"(?<![\w.-])(?:{addresses})(?![\w.-])", lambda m: replaced[m[0]], text)
        if changed != text:
            with atomic_write(path) as file:
                file.write(changed.encode())
            print(path.relative_to(ROOT))
    return chapter_text.update_texts(ROOT)


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
