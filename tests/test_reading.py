"""What a reader of a chapter needs: where to start, numbered figures, terms, and where to go."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.name[0].isdigit()]
GLOSSARY = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^## (.+)$", GLOSSARY, re.MULTILINE)
TERM_LINK = re.compile(r"\]\(\.\./book/glossary\.md#([\w-]+)\)")


def read(path):
    return nbformat.read(path, as_version=4).cells


def prose(cells):
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def has_picture(cell):
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def chapter(path):
    return read(path)


def test_it_says_first_what_you_will_do_and_need(chapter):
    opening = chapter[0].source
    outline, needs = opening.split("You will\n\n")[1].split("\n\nYou need ")
    assert len(re.findall(r"^- ", outline, re.MULTILINE)) >= 4
    assert re.search(r"\]\((https://|\d)", needs.split(". ")[0])


def test_it_says_last_what_you_built_and_leads_to_the_next(path, chapter):
    summary = prose(chapter).split("\n## Summary\n")[1].split("\n## References")[0]
    assert summary.strip().startswith("You built ")
    [following] = re.findall(r"^Next[,:](.*?\.(?:ipynb|md))\)", summary, re.MULTILINE | re.DOTALL)
    if path != CHAPTERS[-1]:
        assert following.endswith(f"({CHAPTERS[CHAPTERS.index(path) + 1].name}")


def test_every_solution_runs(chapter):
    parts = [cell.source if cell.cell_type == "markdown" else "RUN" for cell in chapter]
    text = "\n".join(parts)
    solutions = re.findall(r"\{solution-start\}.*?\{solution-end\}", text, re.DOTALL)
    assert len(solutions) >= 4
    assert all("RUN" in solution for solution in solutions)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_has_a_caption_and_is_referred_to(path):
    cells = read(path)
    referred = re.findall(r"\]\(#(fig-[\w-]+)\)", prose(cells))
    drawn = [
        cell.metadata.get("mystnb", {}).get("figure", {}) for cell in cells if has_picture(cell)
    ]
    assert all(len(figure["caption"].split()) >= 5 for figure in drawn)
    assert {figure["name"] for figure in drawn} == set(referred)


def test_a_chapter_links_the_terms_that_it_uses(chapter):
    linked = TERM_LINK.findall(prose(chapter))
    assert len(linked) >= 5
    assert len(linked) == len(set(linked)), "link a term once"


def test_every_term_is_defined_once_used_and_has_its_chinese_name():
    assert sorted(set(TERMS), key=str.lower) == TERMS
    linked = {term for path in CHAPTERS for term in TERM_LINK.findall(prose(read(path)))}
    assert linked == {term.lower().replace(" ", "-") for term in TERMS}
    for entry in GLOSSARY.split("\n## ")[1:]:
        [chinese] = re.findall(r'<span lang="zh-Hans">([^<]+)</span>\. \w', entry)
        assert re.search(r"[\u4e00-\u9fff]", chinese), entry
