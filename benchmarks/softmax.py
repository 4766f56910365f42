"""Softmax regression: the source's feed loop against one compiled graph an epoch.

Both train on the same 50,000 digits, in batches of 100 in file order, with Adam at
0.5 on pixels that are scaled twice, as the source does. The source's way runs under
``tf.compat.v1``: a session is fed a batch at a time. Ours keeps the data on the device,
and an epoch is one call. Neither time holds an evaluation (the source prints the test
accuracy five times an epoch), nor the first epoch, which traces and compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import tensorflow as tf
from compare import Comparison, Reproduction, in_turn, timed

from mnistlib.data import load
from mnistlib.tf_softmax import SoftmaxRegression, accuracy, compiled_epoch, make_batches

BATCH_SIZE = 100
LEARNING_RATE = 0.5
NUM_EPOCHS = 50

Arrays = tuple[np.ndarray, np.ndarray]
# After each epoch, a function that gives the test accuracy.
Training = Iterator[Callable[[], float]]


def digits() -> tuple[Arrays, Arrays]:
    """Return 50,000 and the test digits: the source's file has them scaled, and it scales again."""
    mnist = load()
    train, _ = mnist.split_train(10_000)
    return tuple(
        (split.images.reshape(-1, 784) / np.float32(256 * 255), split.labels.astype(np.int64))
        for split in (train, mnist.test)
    )


def source_training(train: Arrays, test: Arrays) -> Training:
    tf1 = tf.compat.v1
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
    images, labels = train
    with tf1.Session(graph=graph) as session:
        session.run(initialize)
        while True:
            for start in range(0, len(labels), BATCH_SIZE):
                stop = start + BATCH_SIZE
                session.run(train_step, {x: images[start:stop], y: labels[start:stop]})
            yield lambda: float(session.run(test_accuracy, {x: test[0], y: test[1]}))


def our_training(train: Arrays, test: Arrays) -> Training:
    model = SoftmaxRegression(LEARNING_RATE)
    batches = make_batches(tf.constant(train[0]), tf.constant(train[1]), BATCH_SIZE)
    while True:
        compiled_epoch(model, *batches).numpy()  # waits until a GPU is done
        yield lambda: float(accuracy(model, *map(tf.constant, test)))


def comparisons(quick: bool) -> list[Comparison]:
    """Measure the epochs a second of both ways.

    Raises
    ------
    RuntimeError
        If they don't learn the same.
    """
    num_epochs, data = 5 if quick else NUM_EPOCHS, digits()
    reached: dict[Callable, float] = {}

    def epoch_rate(training: Callable[..., Training]) -> Callable[[], float]:
        def measure() -> float:
            epochs = training(*data)
            next(epochs)
            looks, took = timed(lambda: [*islice(epochs, num_epochs)])
            reached[training] = looks[-1]()
            return num_epochs / took

        return measure

    rates = in_turn(epoch_rate(source_training), epoch_rate(our_training), repeats=3)
    # Steps of 0.5 multiply what rounding makes different.
    if abs(reached[source_training] - reached[our_training]) > 0.02:
        raise RuntimeError("the two ways reach different accuracies: they don't do the same")
    name = f"softmax regression's {num_epochs} epochs"
    note = "two cores share an epoch's small products well or badly: ours varies by a factor of 2"
    return [Comparison(name, "epochs/s", *rates, aim=10.0, higher_is_better=True, note=note)]


def reproductions() -> list[Reproduction]:
    """Run the source's 50 epochs in its feed loop."""
    epochs = source_training(*digits())  # its session stays open until this is forgotten
    looks, took = timed(lambda: [*islice(epochs, NUM_EPOCHS)])
    label = "Softmax regression, low-level TensorFlow"
    return [Reproduction("S2", label, "", looks[-1](), took, label)]
