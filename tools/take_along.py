"""Make the downloads from the built site: a PDF, an EPUB, and the notebooks in a zip.

    python tools/take_along.py [SITE]

They go to SITE/downloads. The same site gives the same files, byte by byte: their
date is that of the last run of a chapter.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pypandoc
import typst
import yaml
from take_along_pages import combine, first_paragraph, read_parts

from mnistlib.errors import MnistError
from mnistlib.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
ASSETS = Path(__file__).resolve().parent / "take_along_assets"
NAME = "five-ways-to-train-on-mnist"
RIGHTS = "Text and figures: CC BY 4.0. Code: MIT. MNIST: CC BY-SA 3.0."
# Readers know an edition of the book as the same book by this.
IDENTIFIER = uuid.uuid5(uuid.NAMESPACE_URL, NAME).urn
# Any fixed one will do; a zip has none before.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
COVER = """
#set page(width: 160mm, height: 240mm)
#set text(font: "Libertinus Serif")
#cover(160mm)
"""
README = """\
{title}: the chapters as notebooks, with their outputs.

In Colab: File, Upload notebook. The first cell installs what Colab lacks.

On your own machine, with Python 3.11 or later:

    python3 -m venv .venv
    .venv/bin/pip install "mnist-book[notebooks] @ git+{repository}" jupyterlab
    .venv/bin/jupyter lab

(On Windows, write py for python3 and .venv\\Scripts\\ for .venv/bin/.) The first run
downloads MNIST's four files. Links from a notebook to a page that isn't a notebook
lead nowhere here; that page is on the book's site.

{rights}
"""


@dataclass(frozen=True)
class Book:
    """What the downloads say about themselves."""

    title: str
    author: str
    description: str
    language: str
    repository: str
    date: date

    def inputs(self) -> dict[str, str]:
        """Return what the Typst files take from here."""
        return {
            "title": self.title,
            "author": self.author,
            "description": self.description,
            "lang": self.language,
            "date": self.date.isoformat(),
        }

    def metadata(self) -> dict[str, object]:
        """Return it with pandoc's names, and what readers of an EPUB ask for."""
        return {
            **self.inputs(),
            "rights": RIGHTS,
            "identifier": IDENTIFIER,
            "accessModes": ["textual", "visual"],
            "accessModeSufficient": ["textual"],
            "accessibilityFeatures": ["alternativeText", "MathML", "tableOfContents"],
            "accessibilityHazards": ["none"],
        }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "_build" / "html")
    site = parser.parse_args(arguments).site.resolve()
    try:
        make_downloads(site)
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make_downloads(site: Path) -> None:
    """Write the three files. Whoever reads meanwhile gets whole ones."""
    if not (site / "index.html").is_file():
        raise MnistError(f"no site in {site}: run make book")
    book = describe(site)
    html = combine(site, read_parts(ROOT / "_toc.yml"))
    products = {
        f"{NAME}-notebooks.zip": pack_notebooks(book),
        f"{NAME}.epub": make_epub(html, book, site),
        f"{NAME}.pdf": make_pdf(html, book, site),
    }
    for name, content in products.items():
        with atomic_write(site / "downloads" / name) as file:
            file.write(content)
        print(f"{name}: {len(content) / 1e6:.1f} MB")


def describe(site: Path) -> Book:
    """Read what the site's configuration, its landing page and the notebooks say."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runs = [date_of_run(path) for path in notebooks()]
    return Book(
        title=config["title"],
        author=config["author"],
        description=first_paragraph(site, toc["root"]),
        language=config["sphinx"]["config"]["language"],
        repository=project["urls"]["Repository"],
        date=date.fromisoformat(max(runs)),
    )


def date_of_run(notebook: Path) -> str:
    try:
        return json.loads(notebook.read_bytes())["metadata"]["run"]["date"]
    except KeyError as error:
        raise MnistError(f"{notebook.name} doesn't say when it ran: run make notebooks") from error


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def pack_notebooks(book: Book) -> bytes:
    readme = README.format(title=book.title, repository=book.repository, rights=RIGHTS)
    files = {"README.txt": readme.encode()}
    files |= {path.name: path.read_bytes() for path in notebooks()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{NAME}/{name}", ZIP_DATE)
            entry.create_system = 3  # Unix, whose rights follow
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def make_epub(html: str, book: Book, site: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        cover = Path(folder) / "cover.png"
        cover.write_bytes(draw_cover(book))
        epub = pandoc(
            html,
            book,
            site,
            "--to=epub3",
            "--mathml",
            "--toc",
            "--toc-depth=3",
            "--split-level=2",
            "--syntax-highlighting=haddock",
            f"--css={ASSETS / 'epub.css'}",
            f"--epub-cover-image={cover}",
            f"--epub-embed-font={ASSETS / 'noto-serif-sc-subset.ttf'}",
        )
    return name_chapters(epub)


def name_chapters(epub: bytes) -> bytes:
    """Give each chapter's file its heading as a title; pandoc writes the file's name there."""
    named = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(epub)) as old, zipfile.ZipFile(named, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            heading = re.search(rb"<section[^>]*>\s*<h[12][^>]*>(.*?)</h[12]>", content, re.DOTALL)
            if entry.filename.endswith(".xhtml") and heading:
                title = re.sub(rb"<[^>]+>", b"", heading[1])
                before, start, rest = content.partition(b"<title>")
                _, end, after = rest.partition(b"</title>")
                content = before + start + title + end + after
            new.writestr(entry, content)
    return named.getvalue()


def make_pdf(html: str, book: Book, site: Path) -> bytes:
    source = pandoc(
        html,
        book,
        site,
        "--to=typst-smart",
        "--syntax-highlighting=idiomatic",
        f"--lua-filter={ASSETS / 'typst.lua'}",
        f"--template={ASSETS / 'book.typ'}",
    )
    return compile_typst(source, book, format="pdf", root=site, pdf_standards=["ua-1"])


def draw_cover(book: Book) -> bytes:
    source = (ASSETS / "cover.typ").read_text(encoding="utf-8") + COVER
    return compile_typst(source.encode(), book, format="png", ppi=200)


def pandoc(html: str, book: Book, site: Path, *options: str) -> bytes:
    """Turn the document into another format; pandoc reads the time from the environment."""
    midnight = datetime(book.date.year, book.date.month, book.date.day, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata.json"
        metadata.write_text(json.dumps(book.metadata()), encoding="utf-8")
        finished = subprocess.run(
            [
                bundled_pandoc(),
                "--from=html+tex_math_single_backslash",
                "--standalone",
                "--fail-if-warnings",
                f"--metadata-file={metadata}",
                "--output=-",
                *options,
            ],
            input=html.encode(),
            cwd=site,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(int(midnight.timestamp()))},
            capture_output=True,
        )
    if finished.returncode != 0:
        raise MnistError(f"pandoc: {' '.join(finished.stderr.decode().split())}")
    return finished.stdout


def bundled_pandoc() -> str:
    """Return the pandoc that pypandoc brings; its own search prefers a newer one elsewhere."""
    folder = Path(pypandoc.__file__).parent / "files"
    path = shutil.which("pandoc", path=folder)
    if path is None:
        raise MnistError(f"no pandoc in {folder}: install pypandoc-binary")
    return path


def compile_typst(source: bytes, book: Book, **options: object) -> bytes:
    """Set a document with the fonts that Typst and this project bring, and no others."""
    try:
        return typst.compile(
            source,
            font_paths=[ASSETS],
            ignore_system_fonts=True,
            sys_inputs=book.inputs(),
            **options,
        )
    except typst.TypstError as error:
        message = " ".join(str(error).split())
        if "could not be displayed" in message:
            message += f"; {ASSETS / 'README.md'} says how to add it"
        raise MnistError(f"typst: {message}") from error


if __name__ == "__main__":
    sys.exit(main())
