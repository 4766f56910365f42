"""Run the chapters as Colab does, where nothing is as it was when their outputs were stored.

    python tools/as_colab.py [pytest options]

Like Colab: an environment of its own with the newest version of what Colab has, in
which the chapters' own first cell installs mnistlib, from the address that stands in
it; git is told that this address is the checkout's. Unlike Colab: the digits are drawn,
GPUs are hidden, there are two devices, and no server can be had. Outputs are compared,
but for decimals.

The tests that depend on the digits or on devices run so, too, with the locked versions.

When a chapter fails, it is run again with one of these differences taken back at a
time, and the one at fault is named.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "_build" / "colab"
PYTHON = FOLDER / "venv" / "bin" / "python"
UV = Path(sys.executable).with_name("uv")
# What the chapters need and Colab has, in whatever version it has today.
COLAB = ["tensorflow", "tensorflow-datasets", "importlib_resources", "jax", "flax", "optax"]
COLAB += ["tensorboard", "matplotlib", "pillow", "scipy", "pyarrow", "ipykernel", "pip"]
# Chapters 5, 7 and 15 install these.
COLAB += ["ai-edge-litert", "anywidget", "grain", "onnxruntime", "tf2onnx"]
# What may come along with mnistlib: small, and pure Python.
COMPANIONS = {"mnist-book", "jaxtyping", "platformdirs", "tqdm", "wadler-lindig"}

# What differs from a run of `make test`, beside the versions.
DIFFERENCES = {
    "drawn digits": {"MNISTLIB_SOURCE": "offline"},
    "no GPU": {"CUDA_VISIBLE_DEVICES": "-1"},
    "no server": {"MNISTLIB_SERVING": "off"},
    "two devices": {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
}
NEWEST = "newest versions"


SETTINGS = {name: value for each in DIFFERENCES.values() for name, value in each.items()}


def main(options: list[str]) -> int:
    tests = pytest(["-m", "digits or devices", "tests", "--ignore=tests/site", *options], SETTINGS)
    make_environment()
    copies = FOLDER / "notebooks"
    shutil.rmtree(copies, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", copies)
    chapters = sorted(copies.glob("*.ipynb"))
    install_with_first_cell(chapters[0])
    status, failed = run(chapters, "colab", SETTINGS, options)
    for chapter in failed:
        print(f"{chapter.name} fails here. {at_fault(chapter)}")
    return status or tests


def make_environment() -> None:
    """Install the newest versions, and a kernel called "colab" that uses them."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    uv("venv", "--python", sys.executable, PYTHON.parent.parent)
    uv("pip", "install", "--python", PYTHON, *COLAB)
    kernel = FOLDER / "kernels" / "colab"
    kernel.mkdir(parents=True)
    argv = [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    os.environ["JUPYTER_PATH"] = str(FOLDER)
    os.environ.pop("PYTHONPATH", None)


def install_with_first_cell(chapter: Path) -> None:
    """Let a chapter's first cell install mnistlib; it must leave all other versions alone."""
    cells = nbformat.read(chapter, as_version=4).cells
    [setup] = [cell for cell in cells if "%pip" in cell.source]
    os.environ |= {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf",
        "GIT_CONFIG_VALUE_0": setup.source.split("git+")[1].split('"')[0],
    }
    before = versions()
    NotebookClient(nbformat.v4.new_notebook(cells=[setup]), kernel_name="colab").execute()
    after = versions()
    new = after.keys() - before.keys()
    if "mnist-book" not in new or new - COMPANIONS or before.items() - after.items():
        sys.exit(
            f"the setup cell installed {sorted(new)} and changed "
            f"{sorted(before.items() - after.items())}: it may install {sorted(COMPANIONS)}"
        )


def versions() -> dict[str, str]:
    listed = json.loads(uv("pip", "list", "--format", "json", "--python", PYTHON))
    return {package["name"]: package["version"] for package in listed}


def run(
    chapters: list[Path], kernel: str, settings: Mapping[str, str], options: list[str]
) -> tuple[int, list[Path]]:
    """Run chapters in a kernel; return pytest's status, and the chapters that failed."""
    report = FOLDER / "report.xml"
    sanitize = ROOT / "tests" / "nbval_sanitize.cfg"
    arguments = ["--nbval", f"--nbval-kernel-name={kernel}", f"--nbval-sanitize-with={sanitize}"]
    arguments += ["--nbval-cell-timeout=300", f"--junitxml={report}", *options]
    status = pytest([*arguments, *chapters], settings)
    broken = {
        case.get("classname", "")
        for case in ElementTree.parse(report).iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    }
    return status, [each for each in chapters if any(each.stem in name for name in broken)]


def pytest(arguments: list[object], settings: Mapping[str, str]) -> int:
    """Run pytest with such settings, and without the others of ``SETTINGS``."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-n", "2", "--dist", "loadfile"]
    command += map(str, arguments)
    return subprocess.run(command, cwd=ROOT, env=inherited | settings).returncode


def at_fault(chapter: Path) -> str:
    """Run a chapter with one difference less at a time, and say which one it doesn't bear."""
    tries = {NEWEST: ("python3", SETTINGS)}
    for difference, own in DIFFERENCES.items():
        rest = {name: value for name, value in SETTINGS.items() if name not in own}
        tries[difference] = ("colab", rest)
    guilty = [
        difference
        for difference, (kernel, rest) in tries.items()
        if run([chapter], kernel, rest, ["-q", "--no-header", "--no-summary"])[0] == 0
    ]
    return f"It passes without: {', '.join(guilty) or 'none of the differences alone'}."


def uv(*arguments: object) -> str:
    finished = subprocess.run([UV, *map(str, arguments)], capture_output=True, text=True)
    if finished.returncode:
        sys.exit(finished.stderr)
    return finished.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
