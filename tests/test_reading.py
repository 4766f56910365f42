"""What a reader of a chapter needs, wherever it is opened: plain text, figures, where to go."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from addresses import Address, read_address, set_links
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from terms import first_mentions, read_terms

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.name[0].isdigit()]
GLOSSARY = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^## (.+)$", GLOSSARY, re.MULTILINE)
CODE_AND_MATH = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$.*?\$", re.DOTALL)
CAPTION = re.compile(r"\A\*\*Figure \S+<!--(fig-[\w-]+)-->\.\*\* (.+)")


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


def test_every_exercise_has_a_solution_that_is_folded(chapter):
    """In Colab, in JupyterLab and on the site; words alone in a details element."""
    text = "\n".join(cell.source for cell in chapter)
    exercises = (
        text.split("\n## Exercises")[1].split("\n## Summary")[0].split("\n### Exercise ")[1:]
    )
    assert len(exercises) >= 4
    for exercise in exercises:
        assert re.search("^(# @title |<details><summary>)Solution", exercise, re.MULTILINE)
    for cell in chapter:
        titled = cell.source.startswith("# @title")
        assert titled == (cell.metadata.get("cellView") == "form"), cell.source
        assert titled == cell.metadata.get("jupyter", {}).get("source_hidden", False), cell.source
        if cell.source.startswith("# @title Solution"):
            assert "hide-cell" in cell.metadata.tags
            assert cell.metadata.collapsed and cell.metadata.jupyter.outputs_hidden
            assert cell.metadata.mystnb.code_prompt_show == "Solution"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_has_a_caption_and_is_referred_to(path):
    cells = read(path)
    captions = {}
    for cell, below in pairwise(cells):
        caption = CAPTION.match(below.source)
        assert has_picture(cell) == bool(caption), below.source[:80]
        if caption:
            captions[caption[1]] = caption[2]
    assert all(len(caption.split()) >= 5 for caption in captions.values())
    referred = re.findall(r"Figure \S+<!--(fig-[\w-]+)-->(?!\.\*\*)", prose(cells))
    assert captions.keys() == set(referred)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_text_is_plain_markdown_whose_links_lead_somewhere(path):
    assert not re.search(r"^[`~]{3,}\{", prose(read(path)), re.MULTILINE)
    text = CODE_AND_MATH.sub("", prose(read(path)))
    markup = re.findall(r"\{[\w:-]+\}|:::|^:[\w-]+:|^%|glue|\]\(#|glossary\.", text, re.MULTILINE)
    assert markup == []
    links = re.findall(r"\]\(([^)\s]+)\)", prose(read(path)))
    relative = [link for link in links if not link.startswith("http")]
    site = read_address(ROOT / "pyproject.toml")
    assert all((path.parent / link.split("#")[0]).is_file() for link in relative)
    assert not site.is_set or not any(link.startswith("../") for link in links)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_reads_as_a_finished_page_without_the_site(path, tmp_path):
    """As JupyterLab and nbconvert show it, once a repository is set."""
    notebook = nbformat.read(path, as_version=4)
    address = Address("some-one/book", "https://some-one.github.io/book")
    for cell in notebook.cells:
        source = cell.source.replace("OWNER/REPOSITORY", address.repository)
        cell.source = set_links(source, address) if cell.cell_type == "markdown" else source
    html, _ = HTMLExporter().from_notebook_node(notebook)
    page = BeautifulSoup(html, "html.parser")
    assert "OWNER" not in page.get_text()
    text = " ".join(each.get_text() for each in page.select(".jp-MarkdownOutput"))
    for code in page.select(".jp-MarkdownOutput :is(code, pre)"):
        text = text.replace(code.get_text(), "")
    text = CODE_AND_MATH.sub("", text)
    for raw in ("{", "}", "<!--", "glue", ":label:", "../book", "**"):
        assert raw not in text, raw
    assert "vnd.mnistlib" not in page.get_text()


def test_every_term_is_in_some_chapter():
    """Outside code, links and headings, as the site looks for it."""
    terms = read_terms(GLOSSARY)
    no_text = re.compile(r"\[[^\]]*\]\([^)]*\)|^#[^\n]*", re.MULTILINE)
    texts = [no_text.sub("", CODE_AND_MATH.sub("", prose(read(path)))) for path in NOTEBOOKS]
    mentioned = {term for _, _, term in first_mentions(texts, terms)}
    assert [term.name for term in terms if term not in mentioned] == []


def test_every_term_is_defined_once_and_has_its_chinese_name():
    assert sorted(set(TERMS), key=str.lower) == TERMS
    for entry in GLOSSARY.split("\n## ")[1:]:
        [chinese] = re.findall(r'<span lang="zh-Hans">([^<]+)</span>\. \w', entry)
        assert re.search(r"[\u4e00-\u9fff]", chinese), entry
