"""Where the book is: links to its pages, and the badges under a chapter's title.

A notebook that is opened in Colab can't follow a relative link. Once the repository is
set, links to the book's pages are those of the published site, and badges lead to Colab,
to Binder and to the file. Until then the links are relative, and there are no badges.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

UNKNOWN_REPOSITORY = "OWNER/REPOSITORY"
BADGES = re.compile(r"^\[!\[Open in Colab\].*\n\n", re.MULTILINE)
RELATIVE_LINK = re.compile(r"\]\(\.\./book/([\w-]+)\.md((?:#[\w-]+)?)\)")
PICTURES = "book/_static/"


class Address(NamedTuple):
    """The repository on GitHub as ``"owner/name"``, and the site that it publishes."""

    repository: str
    site: str

    @property
    def is_set(self) -> bool:
        return self.repository != UNKNOWN_REPOSITORY


def site_of(repository: str) -> str:
    """Return where GitHub publishes the pages of a repository.

    >>> site_of("Some-One/book")
    'https://some-one.github.io/book'
    >>> site_of("some-one/some-one.github.io")
    'https://some-one.github.io'
    """
    if repository == UNKNOWN_REPOSITORY:
        return "https://OWNER.github.io/REPOSITORY"
    owner, name = repository.split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}" if name.lower() == host else f"https://{host}/{name}"


def read_address(pyproject: Path) -> Address:
    """Return the address that ``make repository`` has written."""
    urls = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["urls"]
    repository = urls["Repository"].removeprefix("https://github.com/")
    return Address(repository, urls["Documentation"].removesuffix("/"))


def set_links(text: str, address: Address) -> str:
    """Make links to the book's pages and pictures absolute, or relative if none is set.

    >>> here = Address("some/book", "https://some.github.io/book")
    >>> set_links("[words](../book/glossary.md#batch)", here)
    '[words](https://some.github.io/book/book/glossary.html#batch)'
    """
    pictures = f"](https://github.com/{address.repository}/raw/main/{PICTURES}"
    if address.is_set:
        text = text.replace(f"](../{PICTURES}", pictures)
        return RELATIVE_LINK.sub(rf"]({address.site}/book/\1.html\2)", text)
    text = text.replace(pictures, f"](../{PICTURES}")
    absolute = rf"\]\({re.escape(address.site)}/book/([\w-]+)\.html((?:#[\w-]+)?)\)"
    return re.sub(absolute, r"](../book/\1.md\2)", text)


def set_badges(text: str, address: Address, chapter: str) -> str:
    """Write the row of badges under the title that a chapter's text begins with."""
    title, gap, rest = BADGES.sub("", text).partition("\n\n")
    row = f"\n\n{badges(address.repository, chapter)}" if address.is_set else ""
    return f"{title}{row}{gap}{rest}"


def badges(repository: str, chapter: str) -> str:
    """Return the row of badges of a chapter, which is named by its file's stem."""
    files = f"https://github.com/{repository}/raw/main"
    notebook = f"notebooks/{chapter}.ipynb"
    colab = f"https://colab.research.google.com/github/{repository}/blob/main/{notebook}"
    binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/{notebook}"
    return (
        f"[![Open in Colab]({files}/book/_static/open-in-colab.svg)]({colab})"
        f" [Binder]({binder}) · [Download]({files}/{notebook})"
    )
