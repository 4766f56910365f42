"""Make the downloads from the built site: a PDF, an EPUB, and the notebooks in a zip.

    python tools/make_downloads.py [SITE]

They go to SITE/downloads, and are left alone if the site is what they were made from.
The same site gives the same files, byte by byte: their date is that of the last run of
a chapter.

Sphinx's own builders fall short. ``epub`` leaves formulas in TeX, for a script that no
reader runs, and says nothing about access. ``singlehtml`` has each chapter's "summary",
"exercises" and more under the same ids, so links lead to the wrong chapter, and neither
frees its pages from what pandoc can't read. So ``downloads/pages.py`` makes one plain
document of the site; pandoc makes an EPUB of it with MathML, and Typst a tagged PDF.
"""

from __future__ import annotations

import argparse
import hashlib
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
from datetime import UTC, datetime
from pathlib import Path

import pypandoc
import typst
import yaml
from downloads.pages import combine, read_article

from mnistlib.errors import MnistError
from mnistlib.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
ASSETS = Path(__file__).resolve().parent / "downloads"
NAME = "five-ways-to-train-on-mnist"
FILES = (f"{NAME}-notebooks.zip", f"{NAME}.epub", f"{NAME}.pdf")
RIGHTS = "Text and figures: CC BY 4.0. Code: MIT. MNIST: CC BY-SA 3.0."
ACCESS = {
    "accessModes": ["textual", "visual"],
    "accessModeSufficient": ["textual"],
    "accessibilityFeatures": ["alternativeText", "MathML", "tableOfContents"],
    "accessibilityHazards": ["none"],
}
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "_build" / "html")
    site = parser.parse_args(arguments).site.resolve()
    stamp = site.with_name("downloads.sha256")
    try:
        made_from = digest(site)
        is_there = all((site / "downloads" / name).is_file() for name in FILES)
        if not (is_there and stamp.is_file() and stamp.read_text() == made_from):
            make_downloads(site)
            stamp.write_text(made_from)
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def digest(site: Path) -> str:
    """Return a sum over all that the downloads are made of."""
    settings = [ROOT / name for name in ("_config.yml", "_toc.yml", "pyproject.toml")]
    pages = [*site.rglob("*.html"), *site.glob("_images/*")]
    total = hashlib.sha256()
    for path in sorted([*pages, *notebooks(), *settings, Path(__file__), *ASSETS.glob("*.*")]):
        total.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def make_downloads(site: Path) -> None:
    """Write the three files. Whoever reads meanwhile gets whole ones."""
    if not (site / "index.html").is_file():
        raise MnistError(f"no site in {site}: run make book")
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    book = describe(site, toc["root"])
    html = combine(site, toc["parts"])
    with tempfile.TemporaryDirectory() as scratch:
        contents = (
            pack_notebooks(book["title"]),
            make_epub(html, book, site, Path(scratch)),
            make_pdf(html, book, site, Path(scratch)),
        )
    for name, content in zip(FILES, contents, strict=True):
        with atomic_write(site / "downloads" / name) as file:
            file.write(content)
        print(f"{name}: {len(content) / 1e6:.1f} MB")


def describe(site: Path, landing_page: str) -> dict[str, str]:
    """Return what the downloads say about themselves, with pandoc's names."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    metadata = [json.loads(path.read_bytes())["metadata"] for path in notebooks()]
    runs = [each["run"]["date"] for each in metadata if "run" in each]
    if not runs:
        raise MnistError("no notebook says when it ran: run make notebooks")
    return {
        "title": config["title"],
        "author": config["author"],
        "description": " ".join(read_article(site, landing_page).p.get_text().split()),
        "lang": config["sphinx"]["config"]["language"],
        "date": max(runs),
    }


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def pack_notebooks(title: str) -> bytes:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = README.format(title=title, repository=project["urls"]["Repository"], rights=RIGHTS)
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


def make_epub(html: str, book: dict[str, str], site: Path, scratch: Path) -> bytes:
    cover = scratch / "cover.png"
    source = (ASSETS / "cover.typ").read_text(encoding="utf-8") + COVER
    cover.write_bytes(compile_typst(source.encode(), book, format="png", ppi=200))
    # Readers know an edition of the book as the same book by its identifier.
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, NAME).urn
    metadata = scratch / "metadata.json"
    metadata.write_text(json.dumps({"rights": RIGHTS, "identifier": identifier, **ACCESS}))
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
        f"--metadata-file={metadata}",
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
                title = b"<title>" + re.sub(rb"<[^>]+>", b"", heading[1]) + b"</title>"
                content = re.sub(rb"<title>.*?</title>", lambda _: title, content)  # noqa: B023
            new.writestr(entry, content)
    return named.getvalue()


def make_pdf(html: str, book: dict[str, str], site: Path, scratch: Path) -> bytes:
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


def pandoc(html: str, book: dict[str, str], site: Path, *options: str) -> bytes:
    """Turn the document into another format; pandoc reads the time from the environment."""
    midnight = datetime.fromisoformat(book["date"]).replace(tzinfo=UTC)
    # Not by pypandoc's own search, which prefers a newer one elsewhere.
    program = shutil.which("pandoc", path=Path(pypandoc.__file__).parent / "files")
    if program is None:
        raise MnistError("pypandoc has no pandoc here: install pypandoc-binary")
    options += tuple(f"--metadata={name}:{text}" for name, text in book.items())
    finished = subprocess.run(
        [
            program,
            "--from=html+tex_math_single_backslash",
            "--standalone",
            "--fail-if-warnings",
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


def compile_typst(source: bytes, book: dict[str, str], **options: object) -> bytes:
    """Set a document with the fonts that Typst and this project bring, and no others."""
    fonts = {"font_paths": [ASSETS], "ignore_system_fonts": True}
    try:
        return typst.compile(source, sys_inputs=book, **fonts, **options)
    except typst.TypstError as error:
        message = " ".join(str(error).split())
        if "could not be displayed" in message:
            message += f"; {ASSETS / 'README.md'} says how to add it"
        raise MnistError(f"typst: {message}") from error


if __name__ == "__main__":
    sys.exit(main())
