"""Write into the chapters' text what is decided elsewhere; nothing is executed.

    python tools/chapter_text.py [--check]

- ``97.3%<!--test-accuracy-->``: a value that the chapter has recorded. Another chapter's is
  ``<!--01_dataset:floor-->``.
- ``Figure 2.3<!--fig-curves-->``: a figure's number, in its caption and where the text
  refers to it; ``chapter 2<!--02_keras_tfds-->``: a chapter's number.
- ``# 2. Title`` and ``### Exercise 2.1: Title``: numbers from the file's name.
- ``## References``: a list of the works to which the chapter's text links.
- Badges under the title and links to the book's pages, see ``addresses.py``.
"""

from __future__ import annotations

import argparse
import re
import sys
from itertools import count
from pathlib import Path

import nbformat
from addresses import Address, read_address, set_badges, set_links
from nbformat import NotebookNode
from works import Work, cited, read_works, reference_list

from mnistlib.errors import MnistError
from mnistlib.files import atomic_write
from mnistlib.results import recorded

ROOT = Path(__file__).resolve().parent.parent
# A value ends where its marker begins, and begins after a space or one of ( [ * |.
NO_VALUE = r" \n(\[*|"
MARKER = re.compile(rf"([^{NO_VALUE}]+)<!--([\w:-]+)-->")
CAPTION = re.compile(r"^\*\*Figure [^ ]+<!--(fig-[\w-]+)-->\.\*\* ", re.MULTILINE)
EXERCISE = re.compile(r"^### Exercise [\w.]+: ", re.MULTILINE)
TITLE = re.compile(r"\A# (?:A?\d+\. )?")
REFERENCES = re.compile(r"^## References\b.*", re.MULTILINE | re.DOTALL)
LIST = re.compile(r"^- .*", re.MULTILINE | re.DOTALL)
Numbers = dict[str, dict[str, str]]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it should")
    return update_texts(ROOT, **vars(parser.parse_args(arguments)))


def update_texts(root: Path, check: bool = False) -> int:
    """Write what is stale, or say it; return the exit status."""
    try:
        stale = stale_files(root)
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in stale.items():
        if not check:
            with atomic_write(path) as file:
                file.write(text.encode())
        print(f"{path.relative_to(root)}: {'its text is stale' if check else 'text written'}")
    return int(check and bool(stale))


def stale_files(root: Path) -> dict[Path, str]:
    """Return the files whose text isn't what it should be, and what it should be."""
    address = read_address(root / "pyproject.toml")
    works = read_works(root / "book" / "references.toml")
    paths = sorted((root / "notebooks").glob("*.ipynb"))
    notebooks = {path: nbformat.read(path, as_version=4) for path in paths}
    numbers = known_numbers(notebooks)
    texts, all_cited = {}, []
    for path, notebook in notebooks.items():
        set_text(notebook, path.stem, numbers, works, address)
        texts[path] = nbformat.writes(notebook, indent=1) + "\n"
        all_cited += works_cited(notebook, works)
    bibliography = root / "book" / "bibliography.md"
    head = LIST.sub("", bibliography.read_text(encoding="utf-8"))
    texts[bibliography] = f"{head}{reference_list(all_cited)}\n"
    return {path: text for path, text in texts.items() if path.read_text("utf-8") != text}


def set_text(
    notebook: NotebookNode,
    chapter: str,
    numbers: Numbers,
    works: dict[str, Work],
    address: Address,
) -> None:
    """Bring a chapter's text up to date."""
    exercise_numbers = count(1)
    cells = text_cells(notebook)
    cells[0].source = TITLE.sub(f"# {chapter_number(chapter)}. ", cells[0].source)
    cells[0].source = set_badges(cells[0].source, address, chapter)
    for cell in cells:
        cell.source = fill_markers(cell.source, chapter, numbers)
        cell.source = number_exercises(cell.source, chapter, exercise_numbers)
        cell.source = set_links(cell.source, address)
    references = f"## References\n\n{reference_list(works_cited(notebook, works))}"
    for cell in cells:
        cell.source = REFERENCES.sub(lambda _: references, cell.source)


def text_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def chapter_number(chapter: str) -> str:
    """Return the number in a file's name.

    >>> chapter_number("02_keras_tfds"), chapter_number("a1_offline_digits")
    ('2', 'A1')
    """
    return chapter.split("_")[0].lstrip("0").upper()


def known_numbers(notebooks: dict[Path, NotebookNode]) -> Numbers:
    """Return what a marker may name: each chapter's values and figures, and all chapters."""
    numbers = {
        path.stem: recorded(path) | figure_numbers(notebook, chapter_number(path.stem))
        for path, notebook in notebooks.items()
    }
    return numbers | {"": {chapter: chapter_number(chapter) for chapter in numbers}}


def figure_numbers(notebook: NotebookNode, chapter_number: str) -> dict[str, str]:
    """Number the figures in the order of their captions."""
    names = [name for cell in text_cells(notebook) for name in CAPTION.findall(cell.source)]
    return {name: f"{chapter_number}.{i}" for i, name in enumerate(names, start=1)}


def fill_markers(text: str, chapter: str, numbers: Numbers) -> str:
    """Write before each marker what it names.

    >>> fill_markers("It gets 9%<!--accuracy-->.", "01_x", {"01_x": {"accuracy": "97%"}, "": {}})
    'It gets 97%<!--accuracy-->.'
    """

    def fill(match: re.Match[str]) -> str:
        own, name = match[2].rpartition(":")[::2]
        of_chapter = numbers[""] if match[2] in numbers[""] else numbers.get(own or chapter, {})
        if name not in of_chapter:
            raise MnistError(f"{chapter}: {match[0]}: no such value: record it and run it")
        value = of_chapter[name].replace(" ", "\N{NO-BREAK SPACE}")
        if re.search(f"[{NO_VALUE}]", value):
            raise MnistError(f"{chapter}: the value {value!r} must not hold any of ( [ * |")
        return f"{value}<!--{match[2]}-->"

    return MARKER.sub(fill, text)


def number_exercises(text: str, chapter: str, numbers: count[int]) -> str:
    """Number the headings of exercises, on from those of earlier cells.

    >>> number_exercises("### Exercise 9: Count", "02_x", count(1))
    '### Exercise 2.1: Count'
    """
    prefix = chapter_number(chapter)
    return EXERCISE.sub(lambda _: f"### Exercise {prefix}.{next(numbers)}: ", text)


def works_cited(notebook: NotebookNode, works: dict[str, Work]) -> list[Work]:
    """Return the works that a chapter cites before its list of references."""
    texts = [REFERENCES.sub("", cell.source) for cell in text_cells(notebook)]
    return cited("\n".join(texts), works)


if __name__ == "__main__":
    sys.exit(main())
