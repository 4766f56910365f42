"""``tools/make_downloads.py`` on a small site: what it keeps, drops and refuses."""

import io
import json
import re
import zipfile

import make_downloads
import pytest
from PIL import Image
from pypdf import PdfReader

from mnistlib.errors import MnistError

FILES = {
    "_config.yml": """
title: A small book
author: Nobody
sphinx: {config: {language: en}}
""",
    "_toc.yml": """
root: book/index
parts:
  - caption: Chapters
    chapters: [{file: notebooks/01_first}]
  - caption: Reference
    chapters: [{file: book/glossary}]
""",
    "pyproject.toml": '[project.urls]\nRepository = "https://github.com/owner/name"\n',
    "notebooks/01_first.ipynb": json.dumps({"metadata": {"run": {"date": "2026-01-02"}}}),
    "notebooks/02_not_run.ipynb": '{"metadata": {}}',
}
LANDING = "<section id='welcome'><h1>Welcome</h1><p>What this\nis about.</p></section>"
CHAPTER = """
<section id="first-steps">
<h1>1. First steps<a class="headerlink" href="#x">#</a></h1>
<p><a href="https://colab"><img alt="Open in Colab" src="../_images/open-in-colab.svg"/></a></p>
<p>A word is in the <span class="term"><a href="../book/glossary.html#batch">glossary</a><span
class="definition" role="tooltip" id="term-batch">Of one step.</span></span>, and
<a href="#fig-line">Figure 1.1</a> is below. Home is <a href="../index.html">here</a>.
Inside is <span class="math notranslate nohighlight">\\(a &lt; b_1\\)</span>, outside
<code class="docutils literal notranslate"><span class="pre">tf.data</span></code>.</p>
<div class="math notranslate nohighlight">\\[\\ell = \\frac{1}{2}\\]</div>
<section id="setup"><h2>Setup<a class="headerlink" href="#setup">#</a></h2>
<div class="cell docutils container">
<div class="cell_input docutils container"><div class="highlight-python notranslate">
<div class="highlight"><pre><span class="k">if</span> x: print("&lt;x&gt;")
</pre></div></div><button class="copybtn">Copy</button></div>
<div class="cell_output docutils container">
<div class="output stream highlight-myst-ansi notranslate"><div class="highlight"><pre>LONG
</pre></div></div>
<figure id="fig-line"><a class="image-reference" href="../_images/line.png">
<img alt="A black line" src="../_images/line.png" style="width: 672px;"/></a>
<figcaption><p><span class="caption-number">Figure 1.1.</span> A line.</p></figcaption></figure>
<div class="output text_html"><table class="result">
<tr><th scope="row">Accuracy</th><td>0.9876</td></tr></table></div>
</div></div></section>
<section id="exercise-1-1"><h3>Exercise 1.1: Do it<a class="headerlink" href="#y">#</a></h3>
<div class="cell tag_hide-cell docutils container"><details class="hide above-input">
<summary aria-label="Toggle hidden content"><span class="collapsed">Solution</span>
<span class="expanded">Hide the solution</span></summary><p>Done.</p></details></div></section>
</section>
""".replace("LONG", " ".join(["number"] * 30))
GLOSSARY = """
<section id="setup"><h1>Words</h1>
<section id="batch"><h2>batch<a class="headerlink" href="#batch">#</a></h2>
<p><span lang="zh-Hans">批次</span>. Examples of one step, see <a href="#setup">above</a>.</p>
</section>
<dl class="py function"><dt class="sig sig-object py" id="m.load">
<span class="sig-name descname"><span class="pre">load</span></span>(path)</dt>
<dd><p>Load it.</p></dd></dl>
</section>
"""


def write_page(site, name, article):
    path = site / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<nav>menu</nav><article class='bd-article'>{article}</article>", "utf-8")


@pytest.fixture
def site(tmp_path, monkeypatch):
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")
    site = tmp_path / "html"
    write_page(site, "book/index", LANDING)
    write_page(site, "notebooks/01_first", CHAPTER)
    write_page(site, "book/glossary", GLOSSARY)
    (site / "index.html").touch()
    (site / "_images").mkdir()
    Image.new("L", (1344, 200)).save(site / "_images" / "line.png")
    monkeypatch.setattr(make_downloads, "ROOT", tmp_path)
    return site


def make(site):
    assert make_downloads.main([str(site)]) == 0
    return {path.suffix: path.read_bytes() for path in (site / "downloads").iterdir()}


@pytest.fixture
def downloads(site):
    return make(site)


def test_only_another_site_is_made_anew_and_the_same_one_gives_the_same_bytes(
    site, downloads, capsys
):
    assert sorted(downloads) == [".epub", ".pdf", ".zip"]
    capsys.readouterr()
    assert make(site) == downloads and capsys.readouterr().out == ""
    (site / "downloads" / f"{make_downloads.NAME}.pdf").unlink()
    assert make(site) == downloads
    write_page(site, "notebooks/01_first", CHAPTER.replace("A line.", "Another line."))
    changed = make(site)
    assert changed[".epub"] != downloads[".epub"] and changed[".pdf"] != downloads[".pdf"]


def test_the_zip_is_one_folder_with_the_notebooks_and_how_to_run_them(site, downloads):
    with zipfile.ZipFile(io.BytesIO(downloads[".zip"])) as archive:
        readme, first, _ = archive.namelist()
        assert first == f"{make_downloads.NAME}/01_first.ipynb"
        notebook = site.parent / "notebooks" / "01_first.ipynb"
        assert archive.read(first) == notebook.read_bytes()
        assert b"git+https://github.com/owner/name" in archive.read(readme)


def test_the_epub_has_what_the_pages_have(downloads):
    with zipfile.ZipFile(io.BytesIO(downloads[".epub"])) as archive:
        chapter, words = (archive.read(f"EPUB/text/ch00{i}.xhtml").decode() for i in (2, 4))
        package = archive.read("EPUB/content.opf").decode()
    for shown in ("A small book", "2026-01-02", "What this is about."):
        assert f">{shown}<" in package
    assert chapter.count("<math") == 2
    assert re.search('<img [^>]*width="672" alt="A black line"', chapter)
    assert re.search(r"<th[^>]*>Accuracy</th>\s*<td[^>]*>0.9876</td>", chapter)
    for shown in (
        "<title>1. First steps</title>",
        '<pre class="output"><code>number',
        'class="sourceCode python"',
        "Figure 1.1. A line.",
        "Solution",
        "Done.",
        'href="ch004.xhtml#page-glossary--batch"',  # of two pages' ids
    ):
        assert shown in chapter
    for left_over in ("headerlink", "Copy", "menu", "index.html", "Hide", "\\("):
        assert left_over not in chapter
    for shown in ('id="page-glossary--batch"', '<span lang="zh-Hans"', "<dt>"):
        assert shown in words


def test_the_pdf_has_what_the_pages_have(downloads):
    pdf = PdfReader(io.BytesIO(downloads[".pdf"]))
    catalog = pdf.trailer["/Root"]
    assert pdf.metadata.title == "A small book" and pdf.metadata.author == "Nobody"
    assert catalog["/Lang"] == "en" and catalog["/MarkInfo"]["/Marked"]
    assert b"pdfuaid" in catalog["/Metadata"].get_data()
    assert {"A black line", "a < b_1"} <= set(alternative_texts(catalog["/StructTreeRoot"]))
    text = "\n".join(page.extract_text() for page in pdf.pages)
    for shown in ("1. First steps", "Figure 1.1. A line.", "0.9876", "批次", "load(path)", "↪"):
        assert shown in text
    for raw in ("\\(", "\\frac", "#spoken", "terms.item"):
        assert raw not in text


def alternative_texts(element):
    """Yield what a screen reader says instead of pictures and formulas."""
    if "/Alt" in element:
        yield element["/Alt"]
    children = element.get("/K", [])
    for child in children if isinstance(children, list) else [children]:
        child = child.get_object()
        if hasattr(child, "keys"):
            yield from alternative_texts(child)


@pytest.mark.parametrize(
    ("page", "article", "message"),
    [
        ("notebooks/01_first", CHAPTER.replace("#batch", "#gone"), "nowhere: page-glossary--gone"),
        ("book/glossary", GLOSSARY.replace("批次", "龘"), "README.md says how to add it"),
        ("book/glossary", "", "no article with a heading"),
        ("book/glossary", None, "run make book"),
        ("index", None, "run make book"),
    ],
    ids=["a lost link", "a missing character", "no article", "no page", "no site"],
)
def test_what_cannot_be_a_book_is_refused(site, capsys, page, article, message):
    if article is None:
        (site / f"{page}.html").unlink()
    else:
        write_page(site, page, article)
    assert make_downloads.main([str(site)]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (site / "downloads").exists()


def test_chapters_of_which_none_was_run_are_refused(site):
    (site.parent / "notebooks" / "01_first.ipynb").unlink()
    with pytest.raises(MnistError, match="run make notebooks"):
        make_downloads.describe(site, "book/index")
