"""A book of one chapter that was run and one that wasn't, built with the real settings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mnistlib.results import VALUES_MIME_TYPE, Result, wilson_interval

ROOT = Path(__file__).resolve().parent.parent
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
ADDRESS = """[project.urls]
Repository = "https://github.com/some/book"
Documentation = "https://some.example"
"""
CHAPTERS = ["notebooks/01_first", "notebooks/02_second"]
TOC = {
    "format": "jb-book",
    "root": "book/index",
    "parts": [
        {"caption": "Chapters", "chapters": [{"file": name} for name in CHAPTERS]},
        {"caption": "Reference", "chapters": [{"file": "book/glossary"}]},
    ],
}
INDEX = """# A book

[First](../notebooks/01_first.ipynb) took {recorded}`01_first:speed-up` times as long.

```{chapter-figure} 01_first fig-dot
A dot.
```

```{status}
```
"""
OPENING = """# 1. First

[![Open in Colab](https://github.com/some/book/raw/main/book/_static/open-in-colab.svg)](https://colab)
[Download](https://github.com/some/book/raw/main/notebooks/01_first.ipynb)

It took 7.5<!--speed-up--> batches, a batch as in [a list](https://some.example/book/index.html)
and `code of epochs`. See Figure 1.1<!--fig-dot--> and chapter 2<!--02_second-->.

<!--tabs-->

**One**

```python
one = 1
```

**Two**

```python
two = 2
```

Inside is $a < b_1$, outside

$$\\ell = \\frac{1}{2}$$"""
BELOW = """**Figure 1.1<!--fig-dot-->.** A dot of an *epoch*.

## Epochs

Reading [all of an epoch](https://x.y) in one Epoch."""
GLOSSARY = """# Glossary

## batch

<span lang="zh-Hans">批次</span>. The *examples* of one [step](#epoch). Also *minibatch*.

## epoch

<span lang="zh-Hans">轮次</span>. One pass.
"""


def stored(label, dataset="MNIST"):
    """Return a cell that shows a result."""
    result = Result(
        "01_first", label, "accuracy", 0.9739, wilson_interval(9_739, 10_000), dataset, 1.5
    )
    output = new_output("execute_result", result._repr_mimebundle_())
    return new_code_cell("result", outputs=[output])


def chapter():
    recorded = new_output("display_data", {VALUES_MIME_TYPE: {"speed-up": "7.5"}})
    printed = new_output("stream", name="stdout", text=" ".join(["number"] * 30))
    shown = {"image/png": {"alt": "A black dot", "width": 10, "height": 10}}
    figure = new_output("display_data", {"image/png": PIXEL}, metadata=shown)
    solution = new_code_cell("# @title Solution\nprint('<x>')")
    solution.metadata = {"tags": ["hide-cell"], "mystnb": {"code_prompt_show": "Solution"}}
    return new_notebook(
        metadata={
            "run": {"date": "2026-01-02", "seconds": 12.3},
            "language_info": {"name": "python"},
        },
        cells=[
            new_markdown_cell(OPENING),
            new_code_cell("record(speed_up=7.5)", outputs=[recorded, printed]),
            new_code_cell("show(figure)", outputs=[figure]),
            new_markdown_cell(BELOW),
            solution,
            stored("A *net*"),
            stored("Another net", dataset="other digits"),
        ],
    )


def build(folder):
    """Write the book into a folder, and build its site there."""
    for name in ("book/_ext", "book/_static", "book/_extra", "src/mnistlib/draw/web"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "_config.yml", folder)
    (folder / "pyproject.toml").write_text(ADDRESS)
    (folder / "_toc.yml").write_text(json.dumps(TOC))
    (folder / "book" / "index.md").write_text(INDEX)
    (folder / "book" / "glossary.md").write_text(GLOSSARY, "utf-8")
    (folder / "notebooks").mkdir()
    unrun = new_notebook(cells=[new_markdown_cell("# Second")])
    for name, notebook in zip(CHAPTERS, (chapter(), unrun), strict=True):
        nbformat.write(notebook, folder / f"{name}.ipynb")
    program = Path(sys.executable).with_name("jupyter-book")
    finished = subprocess.run(
        [program, "build", ".", "-W", "--keep-going", "-n", "-q"],
        cwd=folder,
        env={**os.environ, "BOOK_BASE_URL": "https://example.org/m"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
