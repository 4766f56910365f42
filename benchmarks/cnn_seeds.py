"""Chapter 8's networks from five seeds: what the chapter quotes and doesn't train itself.

    python benchmarks/cnn_seeds.py [NAME ...]

It takes some ten minutes, or some two for each name, and writes ``benchmarks/cnn_seeds.json``.
The chapter holds the same numbers under the same names; a test compares them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import environment  # noqa: F401  before what reads it
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from mnistlib.data import load
from mnistlib.files import atomic_write
from mnistlib.keras_models import cnn, compile_classifier, mlp
from mnistlib.pipelines import scale

TARGET = Path(__file__).with_suffix(".json")
SEEDS = range(5)
BATCH_SIZE = 32
NUM_SOME = 10_000  # training images where four networks are compared
Accuracies = dict[str, list[float]]


def five(train: Callable[[], list[float]]) -> list[list[float]]:
    """Train with each seed; return a list over the seeds for each number that comes back."""
    found = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        found.append(train())
        print(*found[-1], flush=True)
    return [list(numbers) for numbers in zip(*found, strict=True)]


def accuracy(model: keras.Model, images: np.ndarray, labels: np.ndarray, top: int = 255) -> float:
    pixels = images[..., None] / np.float32(top)
    answers = model.predict(pixels, batch_size=500, verbose=0).argmax(1)
    return round(float((answers == labels).mean()), 4)


def methods() -> Accuracies:
    """The chapter's network and chapter 2's, each as its chapter trains it."""
    mnist = load()
    examples = tf.data.Dataset.from_tensor_slices(
        (mnist.train.images[..., None], mnist.train.labels)
    )

    def train(model: keras.Model, epochs: int, batch_size: int, rate: object) -> list[float]:
        compile_classifier(model, rate, steps_per_execution=25)
        batches = examples.shuffle(60_000).batch(batch_size).map(scale)
        model.fit(batches, epochs=epochs, verbose=0)
        return [accuracy(model, *mnist.test)]

    falling = keras.optimizers.schedules.CosineDecay(0.002, 2 * 60_000 // BATCH_SIZE)
    return {
        "CNN": five(lambda: train(cnn(), 2, BATCH_SIZE, falling))[0],
        "one hidden layer": five(lambda: train(mlp(), 6, 128, 0.001))[0],
    }


def source_way() -> Accuracies:
    """The source's steps with the chapter's network, and one thing changed at a time."""
    mnist = load()
    examples = tf.data.Dataset.from_tensor_slices(
        (mnist.train.images[..., None], mnist.train.labels)
    )

    def train(
        build: Callable[[], keras.Model] = cnn,
        top: int = 1,
        buffer: int = 1_000,
        rate: float = 0.001,
    ) -> list[float]:
        def as_float(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.cast(images, tf.float32) / top, labels

        model = compile_classifier(build(), rate, steps_per_execution=25)
        batches = examples.shuffle(buffer).batch(BATCH_SIZE).map(as_float).repeat()
        model.fit(batches, epochs=2, steps_per_epoch=60_000 // BATCH_SIZE, verbose=0)
        return [accuracy(model, *mnist.test, top)]

    return {
        "as it lists them": five(train)[0],
        "pixels from 0 to 1": five(lambda: train(top=255))[0],
        "shuffled among all": five(lambda: train(buffer=60_000))[0],
        "both of these": five(lambda: train(top=255, buffer=60_000))[0],
        "2 and 4 filters": five(lambda: train(lambda: network(2, 4)))[0],
        "rate 0.01, not 0.001": five(lambda: train(rate=0.01))[0],
    }


def network(
    *filters: int, moved: bool = False, normalised: bool = False, dropout: float = 0
) -> keras.Model:
    """Build the chapter's network with other numbers of filters, or with one part more."""
    model = [keras.Input((28, 28, 1))]
    if moved:
        model.append(layers.RandomTranslation(0.1, 0.1, fill_mode="constant"))
    for number in filters:
        model.append(layers.Conv2D(number, 3))
        if normalised:
            model.append(layers.BatchNormalization())
        model += [layers.ReLU(), layers.MaxPooling2D()]
    model += [layers.Flatten(), layers.Dense(64, activation="relu")]
    if dropout:
        model.append(layers.Dropout(dropout))
    return keras.Sequential([*model, layers.Dense(10)])


def added() -> dict[str, dict[str, list[float]]]:
    """One part more, on some of the images: right on the validation split, and 2 pixels aside."""
    found: dict[str, dict[str, list[float]]] = {"3 epochs": {}, "12 epochs": {}}
    found["12 epochs, moved"] = {}
    for name in PARTS:
        found["3 epochs"][name], _ = with_part(name, NUM_SOME, 3)
        found["12 epochs"][name], found["12 epochs, moved"][name] = with_part(name, NUM_SOME, 12)
    return found


def added_to_all() -> Accuracies:
    """The same as the chapter trains, on all images that aren't kept for validation."""
    return {name: with_part(name, 55_000, 2)[0] for name in PARTS}


PARTS = {
    "nothing": {},
    "augmentation": {"moved": True},
    "batch normalisation": {"normalised": True},
    "dropout": {"dropout": 0.5},
}


def with_part(name: str, num_images: int, epochs: int) -> list[list[float]]:
    train, validation = load().split_train()
    images = train.images[:num_images, ..., None] / np.float32(255)
    moved = np.roll(validation.images, 2, axis=2)

    def fit() -> list[float]:
        num_steps = epochs * -(-num_images // BATCH_SIZE)
        rate = keras.optimizers.schedules.CosineDecay(0.002, num_steps)
        model = network(16, 32, **PARTS[name])
        compile_classifier(model, rate, steps_per_execution=25)
        model.fit(images, train.labels[:num_images], BATCH_SIZE, epochs, verbose=0)
        return [accuracy(model, each, validation.labels) for each in (validation.images, moved)]

    return five(fit)


WAYS = {
    "SOURCE_WAY": source_way,
    "METHODS": methods,
    "ADDED": added,
    "ADDED_TO_ALL": added_to_all,
}


def main(names: list[str]) -> None:
    record = json.loads(TARGET.read_bytes()) if TARGET.exists() else {}
    for name in names or WAYS:
        record[name] = WAYS[name]()
        with atomic_write(TARGET) as file:
            file.write((json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1:])
