"""Softmax regression: the source's feed loop against one compiled graph an epoch.

    python benchmarks/softmax.py [--quick]

Both train on the same 50,000 digits, in batches of 100 in file order, with Adam at
0.5 on pixels that are scaled twice, as the source does. The source's way runs under
``tf.compat.v1``: a session is fed a batch at a time, and the test accuracy is
computed every 10,000 images. Ours keeps the data on the device, and an epoch is one
call. Neither time holds the first epoch, which traces and compiles.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from compare import Comparison, Reproduction, in_turn, main

from mnistlib.data import load
from mnistlib.data.pickled import ClassicMnist, classic
from mnistlib.tf_softmax import SoftmaxRegression, accuracy, compiled_epoch, make_batches

BATCH_SIZE = 100
LEARNING_RATE = 0.5
NUM_EPOCHS = 50
AIM = 10.0  # times as many epochs per second


def comparisons(quick: bool) -> list[Comparison]:
    """Run both ways in turn.

    Parameters
    ----------
    quick
        Train for 5 epochs, not 50.

    Returns
    -------
    list of Comparison
        Epochs per second.

    Raises
    ------
    RuntimeError
        If both ways don't learn the same.
    """
    num_epochs = 5 if quick else NUM_EPOCHS
    digits = classic(load())
    source, source_accuracy = source_way(digits, num_epochs)
    ours, our_accuracy = our_way(digits, num_epochs)
    rates = in_turn(source, ours, repeats=3)
    # Steps of 0.5 multiply what rounding makes different.
    if abs(source_accuracy() - our_accuracy()) > 0.02:
        raise RuntimeError("the two ways reach different accuracies: they don't do the same")
    note = "an epoch is 500 products too small to share between cores"
    name = f"softmax regression's {num_epochs} epochs"
    return [Comparison(name, "epochs/s", *rates, AIM, higher_is_better=True, note=note)]


def reproductions() -> list[Reproduction]:
    """Run the source's 50 epochs in its feed loop."""
    digits = classic(load())
    train, test_accuracy = source_way(digits, NUM_EPOCHS - 1)
    start = time.perf_counter()
    train()
    seconds = time.perf_counter() - start
    label = "Softmax regression, low-level TensorFlow"
    return [Reproduction("S2", label, "", test_accuracy(), seconds, label)]


def source_way(
    digits: ClassicMnist, num_epochs: int
) -> tuple[Callable[[], float], Callable[[], float]]:
    """Return functions that measure epochs per second, and the test accuracy after it."""
    tf1 = tf.compat.v1
    (images, labels), test = (
        (images / np.float32(255), labels) for images, labels in (digits.train, digits.test)
    )
    graph = tf.Graph()
    with graph.as_default():
        x = tf1.placeholder(tf.float32, [None, 784])
        y = tf1.placeholder(tf.int64, [None])
        logits = tf.matmul(x, tf1.Variable(tf.zeros([784, 10]))) + tf1.Variable(tf.zeros([10]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        optimizer = tf1.train.AdamOptimizer(LEARNING_RATE)
        train_step = optimizer.minimize(tf.reduce_mean(losses))
        test_accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
        initialize = tf1.global_variables_initializer()
    session = tf1.Session(graph=graph)
    printed: list[float] = []

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for start in range(0, len(labels), BATCH_SIZE):
                stop = start + BATCH_SIZE
                session.run(train_step, {x: images[start:stop], y: labels[start:stop]})
                if stop % 10_000 == 0:
                    printed.append(session.run(test_accuracy, {x: test[0], y: test[1]}))

    def measure() -> float:
        session.run(initialize)
        return epochs_per_second(train, num_epochs)

    return measure, lambda: float(printed[-1])


def our_way(
    digits: ClassicMnist, num_epochs: int
) -> tuple[Callable[[], float], Callable[[], float]]:
    """Return functions that measure epochs per second, and the test accuracy after it."""
    images, labels = digits.train
    batches = make_batches(tf.constant(images / np.float32(255)), tf.constant(labels), BATCH_SIZE)
    test = tf.constant(digits.test[0] / np.float32(255)), tf.constant(digits.test[1])
    models: list[SoftmaxRegression] = []

    def train(epochs: int) -> None:
        for _ in range(epochs):
            loss = compiled_epoch(models[-1], *batches)
        loss.numpy()  # waits until a GPU is done

    def measure() -> float:
        models.append(SoftmaxRegression(LEARNING_RATE))
        return epochs_per_second(train, num_epochs)

    return measure, lambda: float(accuracy(models[-1], *test))


def epochs_per_second(train: Callable[[int], None], num_epochs: int) -> float:
    """Train for one epoch more than is timed."""
    train(1)
    start = time.perf_counter()
    train(num_epochs)
    return num_epochs / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], "tensorflow", comparisons, reproductions))
