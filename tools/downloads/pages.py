"""The built site as one plain HTML document, for pandoc to make a book of.

Each page's article is freed from what only a screen needs. What is left names no
class that pandoc or the book's style doesn't know, and links lead to places in the
same document.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag

from mnistlib.errors import MnistError

SCREEN_ONLY = "a.headerlink, button, script, style, .toctree-wrapper, .term .definition"
SCREEN_ONLY += ", p:has(img[src*=open-in-colab])"
# What keeps its class: the style sheet and the Typst filter know these.
BLOCKS = {
    "admonition",
    "admonition-title",
    "solution",
    "signature",
    "definition",
}
KEPT_ATTRIBUTES = {"id", "href", "src", "alt", "width", "colspan", "rowspan", "lang"}
# The classes of Sphinx's blocks, and pandoc's names of what is in them.
LANGUAGES = {
    "highlight-python": "python",
    "highlight-ipython3": "python",
    "doctest": "python",
    "highlight-bash": "bash",
    "highlight-bibtex": "bibtex",
    "highlight-javascript": "javascript",
}
# Its terms are headings on the site, for links; in a book's contents they'd be noise.
GLOSSARY = "book/glossary"
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]


def combine(site: Path, parts: list[dict]) -> str:
    """Return the pages as one HTML document: parts are h1, pages h2, sections h3 and on.

    Parameters
    ----------
    site
        The folder of the built site.
    parts
        Captions and chapters, as in ``_toc.yml``.

    Raises
    ------
    mnistlib.MnistError
        If a page isn't there, or a link in it would lead nowhere.
    """
    pages = [chapter["file"] for part in parts for chapter in part["chapters"]]
    articles = {page: read_article(site, page) for page in pages}
    title_ids = {page: article.section["id"] for page, article in articles.items()}
    book = BeautifulSoup("", "html.parser")
    for part in parts:
        caption = part["caption"]
        book.append(new_tag("h1", {"id": anchor(caption)}, caption))
        for page in (chapter["file"] for chapter in part["chapters"]):
            article = articles[page]
            link_within(article, page, title_ids)
            if page == GLOSSARY:
                list_terms(article)
            clean(article)
            book.extend(list(article.contents))
    check_links(book)
    return str(book)


def read_article(site: Path, page: str) -> Tag:
    """Return the part of a page that is the book's own, without menus."""
    path = site / f"{page}.html"
    if not path.is_file():
        raise MnistError(f"no page {page} in {site}: run make book")
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    if article is None or article.h1 is None:
        raise MnistError(f"{path}: no article with a heading; did the theme change?")
    return article


def anchor(page: str, fragment: str = "") -> str:
    """Return an id that is unique in the book and that EPUB and Typst both accept.

    >>> anchor("notebooks/01_dataset", "mnistlib.data")
    'page-01_dataset--mnistlib-data'
    """
    # An id of XML begins with a letter.
    name = f"page-{posixpath.basename(page)}" + (f"--{fragment}" if fragment else "")
    return re.sub(r"[^\w-]+", "-", name)


def link_within(article: Tag, page: str, title_ids: dict[str, str]) -> None:
    """Make ids unique across pages, and let links between pages lead to them."""
    # Before the rest: a heading's own id is where a link to its section leads.
    for section in article.find_all("section", id=True):
        if heading := section.find(HEADINGS, recursive=False):
            heading["id"] = section["id"]
        del section["id"]
    for tag in article.find_all(id=True):
        tag["id"] = anchor(page, "" if tag["id"] == title_ids[page] else tag["id"])
    for link in article.find_all("a", href=True):
        if re.match(r"[a-z]+:", link["href"]):
            continue
        path, _, fragment = link["href"].partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
        target = target.removesuffix(".html") if path else page
        if target not in title_ids:  # the landing page, a download, a picture's file
            link.unwrap()
        else:
            fragment = "" if fragment == title_ids[target] else fragment
            link["href"] = "#" + anchor(target, fragment)
    for image in article.find_all("img"):
        image["src"] = posixpath.normpath(posixpath.join(posixpath.dirname(page), image["src"]))


def check_links(book: BeautifulSoup) -> None:
    """Make sure that a reader who follows a link gets where it says."""
    ids = Counter(tag["id"] for tag in book.find_all(id=True))
    if twice := sorted(each for each, count in ids.items() if count > 1):
        raise MnistError(f"two places in the book have the same id: {', '.join(twice)}")
    targets = {link["href"][1:] for link in book.select('a[href^="#"]')}
    if lost := sorted(targets - ids.keys()):
        raise MnistError(f"links lead nowhere: {', '.join(lost)}")


def list_terms(article: Tag) -> None:
    """Turn each section into a term and its text."""
    terms = new_tag("dl")
    for section in article.section.find_all("section", recursive=False):
        term = section.h2.extract()
        term.name, section.name = "dt", "dd"
        terms.extend([term, section.extract()])
    article.section.append(terms)


def clean(article: Tag) -> None:
    """Leave what pandoc and the book's styles know."""
    for tag in article.select(SCREEN_ONLY):
        tag.decompose()
    plain_code(article)
    blocks(article)
    # Lone paragraphs in cells and items would stand further apart.
    for paragraph in article.select(":is(td, th, li) > p:only-child"):
        paragraph.unwrap()
    for image in article.find_all("img"):
        if width := re.search(r"\bwidth:\s*(\d+)px", image.get("style", "")):
            image["width"] = width[1]  # which pandoc reads
    # The parts are above the pages.
    for heading in article.find_all(HEADINGS):
        heading.name = f"h{int(heading.name[1]) + 1}"
    bare_tags(article)


def plain_code(article: Tag) -> None:
    """Replace Sphinx's coloured spans by bare code: pandoc and Typst colour it anew."""
    for pre in article.find_all("pre"):
        box = pre.find_parent("div", class_=re.compile("^highlight-")) or pre
        code = new_tag("code", string=pre.get_text().rstrip("\n"))
        new = new_tag("pre")
        if pre.find_parent("div", class_="output"):
            new["class"] = "output"
        elif known := LANGUAGES.keys() & set(box.get("class", [])):
            code["class"] = f"language-{LANGUAGES[known.pop()]}"
        new.append(code)
        box.replace_with(new)
    for code in article.select("code:not(pre code)"):
        code.replace_with(new_tag("code", string=code.get_text()))


def blocks(article: Tag) -> None:
    """Turn what pandoc would lose the class, the id or the place of into what it keeps."""
    # What a screen unfolds has a title.
    for details in article.find_all("details"):
        title = details.summary
        title.string = (title.find(class_="collapsed") or title).get_text()
        title.name, title["class"] = "p", ["admonition-title"]
        details.name, details["class"] = "div", ["solution"]
    for title in article.select("p.admonition-title, p.rubric"):
        wrap_contents(title, "strong")
        title.name, title["class"] = "div", ["admonition-title"]
    # Autodoc's lists of definitions: a signature, then its text.
    for definition in article.select("dl.py"):
        for term in definition.find_all("dt", recursive=False):
            term.name, term["class"] = "div", ["signature"]
            term.string = term.get_text().strip()
            wrap_contents(term, "code")
        for body in definition.find_all("dd", recursive=False):
            body.name, body["class"] = "div", ["definition"]
        definition.unwrap()
    for tag in article.select("dt[id], p[id]"):
        wrap_contents(tag, "span", {"id": tag.attrs.pop("id")})


def bare_tags(article: Tag) -> None:
    """Remove containers, classes and attributes that say nothing off the site."""
    for tag in article.find_all(True):
        if tag.name in {"pre", "code"}:
            continue
        kept = set(tag.get("class", [])) & BLOCKS
        tag.attrs = {key: value for key, value in tag.attrs.items() if key in KEPT_ATTRIBUTES}
        if kept:
            tag["class"] = sorted(kept)
        elif tag.name == "section" or (tag.name in {"div", "span"} and not tag.attrs):
            tag.unwrap()


def wrap_contents(tag: Tag, name: str, attributes: dict[str, str] | None = None) -> None:
    inside = new_tag(name, attributes)
    inside.extend(list(tag.contents))
    tag.append(inside)


def new_tag(name: str, attributes: dict[str, str] | None = None, string: str = "") -> Tag:
    tag = Tag(name=name, attrs=attributes or {})
    if string:
        tag.append(NavigableString(string))
    return tag
