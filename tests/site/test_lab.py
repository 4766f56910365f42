"""The pad in JupyterLab, in a browser: what is drawn there is in Python."""

import os
import re
import socket
import subprocess
import sys
import time

import nbformat
import pytest

CELLS = (
    "from mnistlib.draw import prepare\nfrom mnistlib.draw.widget import Pad\n\npad = Pad()\npad",
    "print('columns', *prepare(pad.drawing).any(0).nonzero()[0])",
)


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab with a notebook in it."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, tmp_path / "pad.ipynb")
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token=", f"--port={free_port()}"]
    home = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    with (
        open(tmp_path / "log", "w+", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, f"--notebook-dir={tmp_path}"],
            env={**os.environ, **home},
            stderr=log,
        ) as server,
    ):
        try:
            while not (
                started := re.search(r"http://localhost:\d+/", (tmp_path / "log").read_text())
            ):
                assert server.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.2)
            yield started[0]
        finally:
            server.terminate()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_a_stroke_reaches_python(browser, lab):
    page = browser.new_page()
    page.goto(f"{lab}lab/tree/pad.ipynb?reset")
    page.locator(".jp-Cell").nth(1).wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    sheet = page.locator(".draw-sheet")
    sheet.wait_for()
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 240, steps=5)
    page.mouse.up()
    page.get_by_text("Softmax regression: 1").wait_for()
    page.locator(".jp-Cell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.get_by_text("columns 13 14 15").wait_for()
