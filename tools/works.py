"""The works that the book cites: one file's data, as labels and as lists of references.

A citation is a link to the work itself, ``[Northcutt et al. (2021)](https://...)``. Its
address says which work it is; ``book/references.toml`` has the rest.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+)\)")
# "Wilson (1927)" or, in parentheses, "Wilson, 1927".
CITATION = re.compile(r".+(,\s\d{4}|\s\(\d{4}\))", re.DOTALL)


@dataclass(frozen=True)
class Work:
    """A work, and where to read it.

    Attributes
    ----------
    authors : tuple of str
        Family name, comma, initials; or an institution.
    title : str
        In the case of a sentence.
    url : str
        A DOI's address where there is one.
    year : int
        When it appeared; 0 for a page that is kept up to date.
    published : str
        In what, with volume and pages; empty for a page of its own.
    """

    authors: tuple[str, ...]
    title: str
    url: str
    year: int = 0
    published: str = ""

    def label(self) -> str:
        """Return how the text names it.

        >>> Work(("Wilson, E. B.",), "Probable inference", "https://doi.org/1", 1927).label()
        'Wilson (1927)'
        """
        families = [author.split(",")[0] for author in self.authors]
        names = f"{families[0]} et al." if len(families) > 2 else " and ".join(families)
        return f"{names} ({self.year})" if self.year else names

    def entry(self) -> str:
        """Return its line in a list of references."""
        authors = ", ".join(self.authors)
        year = f" ({self.year})" if self.year else ""
        published = f" {self.published}." if self.published else ""
        end = "" if authors.endswith(".") and not year else "."
        return f"- {authors}{year}{end} [{self.title}]({self.url}).{published}"


def read_works(path: Path) -> dict[str, Work]:
    """Return the works by their addresses."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).values()
    works = [Work(**{**entry, "authors": tuple(entry["authors"])}) for entry in entries]
    return {work.url: work for work in works}


def cited(text: str, works: dict[str, Work]) -> list[Work]:
    """Return the works to which a text links."""
    return [works[url] for _, url in LINK.findall(text) if url in works]


def unknown_citations(text: str, works: dict[str, Work]) -> list[str]:
    """Return the links that read like citations and lead to no known work."""
    links = LINK.findall(text)
    return [url for label, url in links if CITATION.fullmatch(label) and url not in works]


def reference_list(works: Iterable[Work]) -> str:
    """Return works as a list in Markdown, each once, by authors and year."""
    ordered = sorted(set(works), key=lambda work: (work.authors, work.year, work.title))
    return "\n".join(work.entry() for work in ordered)
