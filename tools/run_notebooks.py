"""Execute the chapters and rewrite their stored outputs.

    python tools/run_notebooks.py [notebook ...]

Every chapter runs in a kernel of its own, on MNIST and nothing else. Its outputs are
brought into a form that doesn't change from run to run, and written only if all
chapters that were asked for ran to their ends. A chapter whose outputs differ from
the stored ones in nothing but timings is left as it is. In the end the numbers in the
text are those of the stored outputs (``chapter_text.py``).
"""

from __future__ import annotations

import argparse
import asyncio
import configparser
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import chapter_text
import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.reader import NotJSONError

from mnistlib.data import load
from mnistlib.errors import MnistError
from mnistlib.files import atomic_write
from mnistlib.results import MIME_TYPE, VALUES_MIME_TYPE

ROOT = Path(__file__).resolve().parent.parent
SANITIZE_FILE = ROOT / "tests" / "nbval_sanitize.cfg"
WIDGET_MIME_TYPE = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT = 300  # seconds
IGNORE_TAG = "nbval-ignore-output"
CANNOT_RUN = (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
    NoSuchKernel,
    NotJSONError,
    nbformat.ValidationError,
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="chapters; all if none is named")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2))
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    if missing := [str(path) for path in paths if not path.is_file()]:
        print(f"no such notebook: {', '.join(missing)}", file=sys.stderr)
        return 1

    os.environ["MNISTLIB_SOURCE"] = "mnist"  # for the kernels, too
    try:
        load()  # before minutes are spent
        executed = execute_all(paths, options.jobs)
    except MnistError as error:
        print(f"nothing ran, because the chapters' outputs are of MNIST.\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nothing was written", file=sys.stderr)
        return 130
    if None in executed:
        print("nothing was written, because a chapter failed", file=sys.stderr)
        return 1
    for path, notebook in zip(paths, executed, strict=True):
        changed = update(path, notebook)
        print(f"{path.name}: {'written' if changed else 'unchanged'}")
    own = {path.resolve().parent for path in paths} == {ROOT / "notebooks"}
    return chapter_text.update_texts(ROOT) if own else 0


def execute_all(paths: list[Path], jobs: int) -> list[NotebookNode | None]:
    """Run chapters, so many at a time; None stands for one that failed, and said so.

    Ctrl-C ends those that run and starts no other.
    """
    free = asyncio.Semaphore(jobs)

    async def run(path: Path) -> NotebookNode | None:
        async with free:
            try:
                notebook = await execute(path)
            except CANNOT_RUN as error:
                print(f"{path.name}: {error}", file=sys.stderr)
                return None
        print(f"{path.name}: ran")
        return notebook

    async def run_all() -> list[NotebookNode | None]:
        async with asyncio.TaskGroup() as group:  # which waits for its tasks' ends
            tasks = [group.create_task(run(path)) for path in paths]
        return [task.result() for task in tasks]

    # In the main thread nbclient would take Ctrl-C for itself, and end one kernel.
    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(run_all())
        running = thread.submit(loop.run_until_complete, task)
        try:
            return running.result()
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(task.cancel)
            running.exception()
            raise


async def execute(path: Path) -> NotebookNode:
    """Run a chapter in a new kernel and return it with normalised outputs."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        coalesce_streams=True,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.perf_counter()
    await client.async_execute()
    seconds = time.perf_counter() - start
    notebook = normalize(notebook)
    # For the status page.
    notebook.metadata["run"] = {"date": date.today().isoformat(), "seconds": round(seconds, 1)}
    return notebook


def normalize(notebook: NotebookNode) -> NotebookNode:
    """Remove from a notebook what changes from run to run or from machine to machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            for output in cell.outputs:  # a widget lives as long as its kernel
                output.get("data", {}).pop(WIDGET_MIME_TYPE, None)
            cell.outputs = [
                output
                for output in cell.outputs
                if not (output.output_type == "stream" and output.name == "stderr")
            ]
    return notebook


def update(path: Path, notebook: NotebookNode) -> bool:
    """Write a chapter if it differs from the stored one in more than timings."""
    stored = nbformat.read(path, as_version=4)
    if "run" in stored.metadata and without_timings(stored) == without_timings(notebook):
        return False
    with atomic_write(path) as file:
        file.write((nbformat.writes(notebook, indent=1) + "\n").encode())
    return True


def without_timings(notebook: NotebookNode) -> str:
    """Return a notebook as text in which no number depends on the clock."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata.pop("run", None)
    timings = timing_rules()
    any_number = [(re.compile(r"\d[\d,.]*"), "NUMBER")]
    for cell in notebook.cells:
        rules = any_number if IGNORE_TAG in cell.metadata.get("tags", []) else timings
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = mask(output.text, rules)
            data = output.get("data", {})
            for mime_type in data:
                if mime_type == MIME_TYPE:
                    data[mime_type]["seconds"] = 0.0
                elif mime_type == VALUES_MIME_TYPE:
                    values = data[mime_type].items()
                    data[mime_type] = {name: mask(value, rules) for name, value in values}
                elif isinstance(data[mime_type], str) and not mime_type.startswith("image/"):
                    data[mime_type] = mask(data[mime_type], rules)
    return nbformat.writes(notebook)


def mask(text: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def timing_rules() -> list[tuple[re.Pattern[str], str]]:
    """Read the rules for timings from the file that nbval reads, too."""
    rules = configparser.RawConfigParser()
    rules.read(SANITIZE_FILE)
    return [
        (re.compile(rules[name]["regex"]), rules[name]["replace"])
        for name in rules.sections()
        if name.startswith("time")
    ]


if __name__ == "__main__":
    sys.exit(main())
