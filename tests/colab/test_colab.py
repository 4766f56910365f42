"""The chapters as Colab runs them, as closely as that can be played elsewhere.

An environment of its own with the newest version of what Colab has, no checkout
and another working directory. Each chapter's own first cell installs mnistlib,
from the address that stands in it: git is told that this address is the
checkout's. ``make test-colab`` runs this; it takes a download of all packages.
"""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What the chapters need and Colab has, in whatever version it has today.
COLAB = ["tensorflow", "tensorflow-datasets", "importlib_resources", "jax", "flax", "optax"]
COLAB += ["tensorboard", "matplotlib", "pillow", "ipykernel", "pip"]
UV = Path(sys.executable).with_name("uv")


def uv(*arguments):
    finished = subprocess.run([UV, *arguments], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="session")
def colab(tmp_path_factory):
    """The environment's Python; a kernel called "colab" runs in it."""
    folder = tmp_path_factory.mktemp("colab")
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv")
    python = folder / "venv" / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", python, *COLAB)
    kernel = folder / "kernels" / "colab"
    kernel.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        patch.delenv("PYTHONPATH", raising=False)
        # The address in the setup cells leads to this checkout.
        patch.setenv("GIT_CONFIG_COUNT", "1")
        patch.setenv("GIT_CONFIG_KEY_0", f"url.file://{ROOT}.insteadOf")
        patch.setenv("GIT_CONFIG_VALUE_0", repository())
        yield python


def repository():
    """The address that the setup cells name."""
    source = nbformat.read(CHAPTERS[0], as_version=4).cells
    [setup] = [cell.source for cell in source if "%pip" in cell.source]
    return setup.split("git+")[1].split('"')[0]


def versions(python):
    listed = json.loads(uv("pip", "list", "--quiet", "--format", "json", "--python", python))
    return {package["name"]: package["version"] for package in listed}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_runs_in_colab(chapter, colab, tmp_path):
    before = versions(colab)
    assert "mnist-book" not in before
    notebook = nbformat.read(chapter, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="colab", resources={"metadata": {"path": tmp_path}}
    )
    try:
        client.execute()
    finally:
        after = versions(colab)
        if new := after.keys() - before.keys():
            uv("pip", "uninstall", "--quiet", "--python", colab, *new)
    assert {name: after[name] for name in before} == before
    assert "mnist-book" in after
    # All of the rest is small and pure Python: no framework came along.
    small = {"jaxtyping", "platformdirs", "pooch", "tqdm", "wadler-lindig"}
    assert after.keys() - before.keys() <= {"mnist-book", *small}
