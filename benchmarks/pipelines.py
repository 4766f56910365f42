"""How many images a second does a pipeline give: the source's order against ours.

The source shuffles, maps single examples, prefetches, batches and repeats. Ours
caches bytes, shuffles, batches, maps whole batches and prefetches. Both give the
same batches of 32 floats and one-hot labels; the digits are random bytes, because
no pipeline looks at them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import keras
import numpy as np
import tensorflow as tf
from compare import Comparison, Reproduction, in_turn, rate, timed

from mnistlib.data import load
from mnistlib.keras_models import dropout_mlp

BATCH_SIZE = 32
AUTOTUNE = tf.data.AUTOTUNE


def prepare(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale to 0 to 1 and make labels one-hot; of one example, or of a batch."""
    return tf.cast(images, tf.float32) / 255.0, tf.one_hot(labels, 10)


def source_pipeline(examples: tf.data.Dataset) -> tf.data.Dataset:
    return (
        examples.shuffle(len(examples))
        .map(prepare)
        .prefetch(10 * BATCH_SIZE)
        .batch(BATCH_SIZE, drop_remainder=True)
        .repeat()
    )


def our_pipeline(examples: tf.data.Dataset) -> tf.data.Dataset:
    return (
        examples.cache()
        .shuffle(len(examples))
        .repeat()
        .batch(BATCH_SIZE, drop_remainder=True)
        .map(prepare, AUTOTUNE)
        .prefetch(2)
    )


def pipeline_rate(dataset: tf.data.Dataset, num_batches: int) -> Callable[[], float]:
    """Make a function that measures images a second over one pass."""
    iterator = iter(dataset)
    next(iterator)  # the shuffle buffer and the cache are filled
    return rate(num_batches * BATCH_SIZE, lambda: [None for _ in islice(iterator, num_batches)])


def training_rate(dataset: tf.data.Dataset, num_batches: int) -> Callable[[], float]:
    """Make a function that measures images a second in ``fit``."""
    keras.utils.set_random_seed(0)
    model = dropout_mlp("softmax")
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    model.fit(dataset, steps_per_epoch=10, verbose=0)
    return rate(
        num_batches * BATCH_SIZE,
        lambda: model.fit(dataset, steps_per_epoch=num_batches, verbose=0),
    )


def comparisons(quick: bool) -> list[Comparison]:
    """Compare both orders alone and in training."""
    num_examples, repeats = (12_800, 3) if quick else (60_000, 5)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (num_examples, 28, 28)).astype(np.uint8)
    labels = rng.integers(0, 10, num_examples)
    examples = tf.data.Dataset.from_tensor_slices((images, labels))
    pipelines = source_pipeline(examples), our_pipeline(examples)
    found = []
    for name, measure, aim in (
        ("pipeline alone", pipeline_rate, 2.0),
        ("training the 512-unit network", training_rate, 1.0),
    ):
        ways = [measure(dataset, num_examples // BATCH_SIZE) for dataset in pipelines]
        medians = in_turn(*ways, repeats)
        found.append(Comparison(name, "images/s", *medians, aim, higher_is_better=True))
    return found


def reproductions() -> list[Reproduction]:
    """Run the quickstart, and the 2,000 steps on the source's pipeline."""
    mnist = load()
    test_images = mnist.test.images / np.float32(255)

    def trained(*data: object, **options: object) -> tuple[float, float]:
        keras.utils.set_random_seed(0)
        model = dropout_mlp("softmax")
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        _, took = timed(lambda: model.fit(*data, verbose=0, **options))
        return model.evaluate(test_images, mnist.test.labels, verbose=0)[1], took

    quickstart = trained(mnist.train.images / np.float32(255), mnist.train.labels, epochs=5)
    examples = tf.data.Dataset.from_tensor_slices((mnist.train.images, mnist.train.labels))
    # One-hot labels have another loss of the same value; `evaluate` takes numbers.
    batches = source_pipeline(examples).map(lambda images, targets: (images, tf.argmax(targets, 1)))
    steps = trained(batches, steps_per_epoch=2_000)
    quick_label = "Keras, 512 hidden units and dropout, 5 epochs"
    steps_label = "Keras, 512 hidden units and dropout, 2,000 steps"
    return [
        Reproduction("S1", quick_label, "about 0.98", *quickstart, quick_label),
        Reproduction("S1", steps_label, "", *steps, steps_label),
    ]
