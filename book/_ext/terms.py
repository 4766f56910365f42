"""The glossary's terms, linked where a chapter first mentions them.

A chapter's text holds no such links. The definition shows while the pointer or the
keyboard's focus is on the term.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
NOT_TEXT = (nodes.title, nodes.literal, nodes.literal_block, nodes.reference, nodes.figure)
NOT_TEXT += (nodes.math, nodes.math_block, nodes.raw, nodes.container, nodes.comment)


class Term(NamedTuple):
    """A term, other words for it, and its definition as plain text."""

    name: str
    synonyms: tuple[str, ...]
    definition: str

    @property
    def anchor(self) -> str:
        return self.name.lower().replace(" ", "-")


def read_terms(glossary: str) -> list[Term]:
    """Read ``## term`` and the paragraph below it; "Also *word*, *word*." gives others."""
    terms = []
    for entry in re.split(r"^## ", glossary, flags=re.MULTILINE)[1:]:
        name, text = entry.split("\n", 1)
        text = re.sub(r"<span[^>]*>.*?</span>\.\s*", "", text.strip())
        synonyms = tuple(re.findall(r"\*([^*]+)\*", " ".join(re.findall(r"Also [^.]*\.", text))))
        text = re.sub(r"\[([^\]]+)\]\([^)]*\)|[`*]", r"\1", text)
        terms.append(Term(name, synonyms, " ".join(text.split())))
    return terms


def pattern(terms: list[Term]) -> re.Pattern[str]:
    """Match any term, the longest first; the group ``t3`` is the fourth of them."""
    words = [(word, i) for i, term in enumerate(terms) for word in (term.name, *term.synonyms)]
    words.sort(key=lambda each: -len(each[0]))
    # A group's name may stand once in a pattern.
    forms = [f"(?P<t{i}_{n}>{forms_of(word)})" for n, (word, i) in enumerate(words)]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])")


def forms_of(word: str) -> str:
    """Match a word and its plural; any case, unless it has capitals of its own.

    >>> [bool(re.fullmatch(forms_of("batch"), form)) for form in ("Batches", "batched")]
    [True, False]
    """
    spaced = r"\s+".join(map(re.escape, word.split()))
    plural = rf"(?:{spaced}(?:e?s)?" + (rf"|{spaced[:-1]}ies)" if word.endswith("y") else ")")
    return f"(?i:{plural})" if word.islower() else plural


def first_mentions(texts: list[str], terms: list[Term]) -> Iterator[tuple[int, re.Match, Term]]:
    """Yield the first mention of each term: which text it is in, where, and which term."""
    any_term, seen = pattern(terms), set()
    for i, text in enumerate(texts):
        for match in any_term.finditer(text):
            term = terms[int(match.lastgroup[1:].split("_")[0])]
            if term not in seen:
                seen.add(term)
                yield i, match, term


def link_terms(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link a chapter's terms to the glossary."""
    if app.builder.format != "html" or not page.startswith("notebooks/"):
        return
    terms = read_terms(Path(app.srcdir, f"{GLOSSARY}.md").read_text(encoding="utf-8"))
    texts = [text for text in doctree.findall(nodes.Text) if is_running_text(text)]
    uri = app.builder.get_relative_uri(page, GLOSSARY)
    pieces: dict[int, list[nodes.Node]] = {}
    ends: dict[int, int] = {}
    for i, match, term in first_mentions([text.astext() for text in texts], terms):
        before = nodes.Text(match.string[ends.get(i, 0) : match.start()])
        pieces.setdefault(i, []).extend([before, link(term, match[0], uri)])
        ends[i] = match.end()
    for i, parts in pieces.items():
        texts[i].parent.replace(texts[i], [*parts, nodes.Text(texts[i][ends[i] :])])


def is_running_text(text: nodes.Text) -> bool:
    node = text.parent
    while node is not None and not isinstance(node, NOT_TEXT):
        node = node.parent
    return node is None


def link(term: Term, words: str, glossary: str) -> nodes.raw:
    """Return a link to a term's entry, with its definition beside it."""
    tip = f"term-{term.anchor}"
    markup = (
        f'<span class="term"><a class="reference internal" href="{glossary}#{term.anchor}" '
        f'aria-describedby="{tip}">{html.escape(words)}</a>'
        f'<span class="definition" role="tooltip" id="{tip}">{html.escape(term.definition)}'
        "</span></span>"
    )
    return nodes.raw("", markup, format="html")


def depend_on_glossary(app: Sphinx, doctree: nodes.document) -> None:
    if app.env.docname.startswith("notebooks/"):
        app.env.note_dependency(f"{GLOSSARY}.md")


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", depend_on_glossary)
    app.connect("doctree-resolved", link_terms)
