"""One network trained in three frameworks, each in the way that suits it.

A *program* is a generator that takes the training split and a seed: it trains for an
epoch, gives a function that classifies images, and goes on when it is asked for the next.
The seed decides the initial weights and the orders of the images. All three train the
network of :func:`mnistlib.keras_models.mlp` with Adam, on batches of the same size, in a
new order every epoch. Keras's last batch is what is left; the others leave that out.

``python -m mnistlib.programs keras --seeds 5`` (or ``tensorflow``, ``jax``) runs a program
in a process of its own and prints what came of it as JSON. Keras computes there with
TensorFlow, or with what the environment's ``KERAS_BACKEND`` names.
"""

from __future__ import annotations

import ast
import inspect
import re
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from typing import NamedTuple

import numpy as np

from mnistlib.data import Split
from mnistlib.errors import MnistError

BATCH_SIZE = 128
LEARNING_RATE = 0.001
LAYER_SIZES = (784, 128, 10)

#: Takes float32 images ``(n, 784)`` from 0 to 1, gives ten scores for each.
Classifier = Callable[[np.ndarray], object]
Program = Callable[[Split, int], Iterator[Classifier]]

NAMES = ("keras", "tensorflow", "jax")


class Run(NamedTuple):
    """What came of one program from one seed.

    Attributes
    ----------
    accuracies : list of float
        On the validation set, after each epoch.
    seconds : list of float
        For each epoch, without the validation. The first holds the preparation of
        the digits and the compilation.
    classifier : callable
        As it was after the last epoch.
    """

    accuracies: list[float]
    seconds: list[float]
    classifier: Classifier


def find_program(name: str) -> Program:
    """Import one framework, and return the program that trains with it.

    The name is ``"keras"``, ``"tensorflow"`` or ``"jax"``; another is an ``MnistError``.
    """
    if name not in NAMES:
        raise MnistError(f"no program {name!r}: use one of {', '.join(NAMES)}")
    return import_module(f"mnistlib.programs.with_{name}").train


def flatten_and_scale(images: np.ndarray) -> np.ndarray:
    """Turn images, uint8 ``(n, 28, 28)``, into float32 ``(n, 784)`` from 0 to 1."""
    return images.reshape(len(images), -1) / np.float32(255)


def accuracy(classifier: Classifier, split: Split) -> float:
    """Return the share of a split's images that get their label's class, from 0 to 1."""
    scores = np.asarray(classifier(flatten_and_scale(split.images)))
    return float((scores.argmax(axis=1) == split.labels).mean())


def run(program: Program, train: Split, validation: Split, seed: int, num_epochs: int) -> Run:
    """Train with one program, and look at the validation set after each epoch.

    Parameters
    ----------
    program
        As :func:`find_program` returns it.
    train, validation
        What to learn from, and what to test on.
    seed
        Of the program.
    num_epochs
        How often to go through ``train``.
    """
    accuracies, seconds = [], []
    start = time.perf_counter()
    for classifier in islice(program(train, seed), num_epochs):
        seconds.append(time.perf_counter() - start)
        accuracies.append(accuracy(classifier, validation))
        start = time.perf_counter()
    return Run(accuracies, seconds, classifier)


def code_of(thing: object) -> str:
    """Return a module's, class's or function's code as the book shows it.

    Docstrings and imports are left out; other lines are broken as they stand.
    """
    source = inspect.getsource(thing)
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            left_out |= {*range(node.lineno, node.end_lineno + 1)}
    lines = enumerate(source.splitlines(), start=1)
    code = "\n".join(line for number, line in lines if number not in left_out)
    # Where a text was, no blank line is left.
    return re.sub(r"(?<=:)\n\n+(?= )", "\n", re.sub(r"\n{4,}", "\n\n\n", code)).strip()
