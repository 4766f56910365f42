"""The text of the chapters is what files and stored outputs say; nothing is executed."""

import shutil
from pathlib import Path

import chapter_text
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from works import cited, read_works, unknown_citations

from mnistlib.results import VALUES_MIME_TYPE

ROOT = Path(__file__).resolve().parent.parent
WORKS = """
[wilson1927]
authors = ["Wilson, E. B."]
title = "Probable inference"
url = "https://doi.org/1"
year = 1927
published = "JASA 22"

[guide]
authors = ["Somebody"]
title = "A guide"
url = "https://example.org/guide"
"""
FIRST = """# 7. First

It gets 1%<!--accuracy--> in 2s<!--time-->,
see Figure 0.0<!--fig-two--> and [Wilson
(1927)](https://doi.org/1), (3<!--02_second:steps-->) in chapter 9<!--02_second-->."""
CURRENT = """# 1. First

It gets 97%<!--accuracy--> in 1.5\N{NO-BREAK SPACE}s<!--time-->,
see Figure 1.2<!--fig-two--> and [Wilson
(1927)](https://doi.org/1), (1,000<!--02_second:steps-->) in chapter 2<!--02_second-->."""
CAPTIONS = "**Figure 8.8<!--fig-{}-->.** A {}.\n\n### Exercise 5.5: Do it\n\nDo."
LIST = "## References\n\n- Wilson, E. B. (1927). [Probable inference](https://doi.org/1). JASA 22."


def write(path, *texts, **values):
    cells = [new_markdown_cell(text, id=f"text-{i}") for i, text in enumerate(texts)]
    outputs = [new_output("display_data", {VALUES_MIME_TYPE: values})]
    cells.append(new_code_cell("record()", id="record", outputs=outputs))
    nbformat.write(new_notebook(cells=cells), path)


@pytest.fixture
def book(tmp_path):
    """A book of two chapters with stale texts."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "book" / "references.toml").write_text(WORKS)
    (tmp_path / "book" / "bibliography.md").write_text("# References\n\nAll.\n\n- stale\n")
    captions = [CAPTIONS.format(name, name) for name in ("one", "two")]
    texts = FIRST, *captions, "## References\n\n- stale"
    write(tmp_path / "notebooks" / "01_first.ipynb", *texts, accuracy="97%", time="1.5 s")
    write(tmp_path / "notebooks" / "02_second.ipynb", "# Second\n\nText.", steps="1,000")
    return tmp_path


def texts(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def test_the_book_s_own_text_is_current():
    assert chapter_text.update_texts(ROOT, check=True) == 0


def test_numbers_and_lists_are_written_once(book, capsys):
    assert chapter_text.update_texts(book, check=True) == 1
    assert texts(book / "notebooks" / "01_first.ipynb")[0] == FIRST
    assert chapter_text.update_texts(book) == 0
    first, one, two, references, _ = texts(book / "notebooks" / "01_first.ipynb")
    assert first == CURRENT
    assert one.startswith("**Figure 1.1<!--fig-one-->.** A one.\n\n### Exercise 1.1: Do it")
    assert two.startswith("**Figure 1.2<!--fig-two-->.** A two.\n\n### Exercise 1.2: Do it")
    assert references == LIST
    assert texts(book / "notebooks" / "02_second.ipynb")[0] == "# 2. Second\n\nText."
    page = (book / "book" / "bibliography.md").read_text()
    assert page == "# References\n\nAll.\n\n" + LIST.removeprefix("## References\n\n") + "\n"
    capsys.readouterr()
    assert chapter_text.update_texts(book, check=True) == 0
    assert capsys.readouterr().out == ""


def test_a_chapter_with_another_number_is_renumbered_throughout(book):
    assert chapter_text.update_texts(book) == 0
    (book / "notebooks" / "01_first.ipynb").rename(book / "notebooks" / "a3_first.ipynb")
    assert chapter_text.update_texts(book) == 0
    first, one, *_ = texts(book / "notebooks" / "a3_first.ipynb")
    assert first == CURRENT.replace("# 1.", "# A3.").replace("Figure 1.", "Figure A3.")
    assert "Figure A3.1<" in one and "### Exercise A3.1: " in one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9<!--nothing-->", "no such value"),
        ("9<!--bad-->", "must not hold"),
    ],
)
def test_a_marker_that_can_t_be_filled_is_named(book, capsys, text, message):
    write(book / "notebooks" / "02_second.ipynb", f"# Second\n\n{text}", steps="1", bad="a (b)")
    assert chapter_text.update_texts(book) == 1
    error = capsys.readouterr().err
    assert "02_second" in error and message in error


def test_no_chapter_cites_an_unknown_work_and_every_work_is_cited():
    works = read_works(ROOT / "book" / "references.toml")
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    text = "\n".join(part for path in paths for part in texts(path))
    unknown = "[Wilson, 1927](https://doi.org/2)"
    assert unknown_citations(text + unknown, works) == ["https://doi.org/2"]
    assert {work.url for work in cited(text, works)} == set(works)
