"""What five seeds give: the numbers that chapters 3, 4 and 8 quote and don't train themselves.

    python benchmarks/seeds.py [NAME ...]

It takes some twenty minutes, or some two to five for each name, and writes
``benchmarks/seeds.json``. The chapters hold the same numbers; a test compares them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path

import environment  # noqa: F401  before what reads it
import keras
import numpy as np
import tensorflow as tf
from compare import write_record
from keras import layers
from pipelines import source_pipeline
from scipy.stats import binomtest

from mnistlib.data import load
from mnistlib.keras_models import cnn, compile_classifier, dropout_mlp, mlp
from mnistlib.pipelines import scale

TARGET = Path(__file__).with_suffix(".json")
SEEDS = range(5)
BATCH_SIZE = 32  # chapter 8's
NUM_SOME = 10_000  # training images where four networks are compared
CosineDecay = keras.optimizers.schedules.CosineDecay
Accuracies = dict[str, list[float]]


def five(train: Callable[[], list]) -> list[list]:
    """Train with each seed; return a list over the seeds for each thing that comes back."""
    found = []
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        found.append(train())
        print(".", end="", flush=True)
    return [list(things) for things in zip(*found, strict=True)]


def is_right(model: keras.Model, images: np.ndarray, labels: np.ndarray, top: int = 255):
    pixels = images.reshape(-1, *model.input_shape[1:]) / np.float32(top)
    return model.predict(pixels, batch_size=500, verbose=0).argmax(1) == labels


def accuracy(*arguments: object) -> float:
    return round(float(is_right(*arguments).mean()), 4)


def aside(images: np.ndarray, columns: int) -> np.ndarray:
    """Move by up to two columns, to the right if positive; what comes in is blank."""
    return np.pad(images, ((0, 0), (0, 0), (2, 2)))[..., 2 - columns : 30 - columns]


def examples() -> tf.data.Dataset:
    train = load().train
    return tf.data.Dataset.from_tensor_slices((train.images[..., None], train.labels))


def callbacks() -> list[float]:
    """Chapter 4's network after 2,000 steps on chapter 3's pipeline, as the source has it."""
    train, test = load().train, load().test

    def fit() -> list[float]:
        model = dropout_mlp("softmax")
        model.compile("adam", "categorical_crossentropy")
        pairs = tf.data.Dataset.from_tensor_slices((train.images, train.labels))
        model.fit(source_pipeline(pairs), steps_per_epoch=2_000, verbose=0)
        return [accuracy(model, *test)]

    return five(fit)[0]


def quickstart() -> Accuracies:
    """Chapter 3's network: as it is, without dropout, on shifted images; also 2 pixels aside."""
    train, test = load().train, load().test
    looked_at = test.images, aside(test.images, 2)

    def without_dropout() -> keras.Model:
        kept = [each for each in dropout_mlp("softmax").layers if each.name[:7] != "dropout"]
        return keras.Sequential(kept)

    def shifted() -> keras.Model:
        shift = layers.RandomTranslation(0.1, 0.1, fill_mode="constant")
        return keras.Sequential(
            [layers.Reshape((28, 28, 1)), shift, *dropout_mlp("softmax").layers]
        )

    def fit(build: Callable[[], keras.Model]) -> list[float]:
        model = build()
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(train.images / np.float32(255), train.labels, epochs=5, verbose=0)
        return [accuracy(model, each, test.labels) for each in looked_at]

    found: Accuracies = {}
    for name, build in {
        "03_input_pipelines": lambda: dropout_mlp("softmax"),
        "without dropout": without_dropout,
        "shifted": shifted,
    }.items():
        found[name], found[f"{name}, 2 pixels right"] = five(lambda build=build: fit(build))
    return found


@cache
def methods() -> dict[str, list]:
    """Which test digits chapter 8's network and chapter 2's get right."""

    def train(model: keras.Model, epochs: int, batch_size: int, rate: object) -> list:
        compile_classifier(model, rate, steps_per_execution=25)
        batches = examples().shuffle(60_000).batch(batch_size).map(scale)
        model.fit(batches, epochs=epochs, verbose=0)
        return [is_right(model, *load().test)]

    falling = CosineDecay(0.002, 2 * 60_000 // BATCH_SIZE)
    return {
        "CNN": five(lambda: train(cnn(), 2, BATCH_SIZE, falling))[0],
        "one hidden layer": five(lambda: train(mlp(), 6, 128, 0.001))[0],
    }


def accuracies_of_methods() -> Accuracies:
    return {
        name: [round(float(each.mean()), 4) for each in all_] for name, all_ in methods().items()
    }


def settled() -> list[float]:
    """P-values of McNemar's test for each pair of the five CNNs."""
    p_values = []
    for one, two in combinations(methods()["CNN"], 2):
        test = binomtest(int((one & ~two).sum()), int((one != two).sum()))
        p_values.append(round(float(test.pvalue), 3))
    return sorted(p_values)


def source_way() -> Accuracies:
    """The source's steps with chapter 8's network, and one thing changed at a time."""
    test = load().test

    def train(
        build: Callable[[], keras.Model] = cnn,
        top: int = 1,
        buffer: int = 1_000,
        rate: float = 0.001,
    ) -> list[float]:
        def as_float(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.cast(images, tf.float32) / top, labels

        model = compile_classifier(build(), rate, steps_per_execution=25)
        batches = examples().shuffle(buffer).batch(BATCH_SIZE).map(as_float).repeat()
        model.fit(batches, epochs=2, steps_per_epoch=60_000 // BATCH_SIZE, verbose=0)
        return [accuracy(model, *test, top)]

    return {
        "as it lists them": five(train)[0],
        "pixels from 0 to 1": five(lambda: train(top=255))[0],
        "shuffled among all": five(lambda: train(buffer=60_000))[0],
        "both of these": five(lambda: train(top=255, buffer=60_000))[0],
        "2 and 4 filters": five(lambda: train(lambda: with_part("nothing", (2, 4))))[0],
        "rate 0.01, not 0.001": five(lambda: train(rate=0.01))[0],
    }


def with_part(part: str, filters: tuple[int, ...] = (16, 32)) -> keras.Model:
    """Build chapter 8's network with one part more, as the chapter does."""
    model = [keras.Input((28, 28, 1))]
    if part == "augmentation":
        model.append(layers.RandomTranslation(0.1, 0.1, "constant"))
    for number in filters:
        model.append(layers.Conv2D(number, 3))
        if part == "batch normalisation":
            model.append(layers.BatchNormalization())
        model += [layers.ReLU(), layers.MaxPooling2D()]
    model += [layers.Flatten(), layers.Dense(64, activation="relu")]
    if part == "dropout":
        model.append(layers.Dropout(0.5))
    return keras.Sequential([*model, layers.Dense(10)])


def validated(num_images: int, epochs: int, part: str, rate: float = 0.002) -> list[list[float]]:
    """Right on the validation split, and on the same images 2 pixels to the right and left."""
    train, validation = load().split_train()
    images = train.images[:num_images, ..., None] / np.float32(255)
    looked_at = [aside(validation.images, columns) for columns in (0, 2, -2)]

    def fit() -> list[float]:
        falling = CosineDecay(rate, epochs * -(-num_images // BATCH_SIZE))
        model = compile_classifier(with_part(part), falling, steps_per_execution=25)
        model.fit(images, train.labels[:num_images], BATCH_SIZE, epochs, verbose=0)
        return [accuracy(model, each, validation.labels) for each in looked_at]

    return five(fit)


@cache
def added() -> dict[str, Accuracies]:
    """One part more, trained on some of the images, and as the chapter trains."""
    names = "10,000, 3 epochs", "10,000, 12 epochs", "moved right", "moved left", "all, 2 epochs"
    found: dict[str, Accuracies] = {name: {} for name in names}
    for part in ("nothing", "augmentation", "batch normalisation", "dropout"):
        columns = [
            validated(NUM_SOME, 3, part)[0],
            *validated(NUM_SOME, 12, part),
            validated(55_000, 2, part)[0],
        ]
        for column, accuracies in zip(names, columns, strict=True):
            found[column][part] = accuracies
    return found


def added_moved() -> dict[str, Accuracies]:
    return {name: each for name, each in added().items() if name.startswith("moved")}


def added_centred() -> dict[str, Accuracies]:
    return {name: each for name, each in added().items() if not name.startswith("moved")}


def rates() -> Accuracies:
    """Rates from which to fall, by the validation split."""
    return {f"{rate}": validated(55_000, 2, "nothing", rate)[0] for rate in (0.001, 0.002, 0.004)}


WAYS = {
    "CALLBACKS": callbacks,
    "QUICKSTART": quickstart,
    "SOURCE_WAY": source_way,
    "RATES": rates,
    "METHODS": accuracies_of_methods,
    "SETTLED": settled,
    "ADDED": added_centred,
    "ADDED_MOVED": added_moved,
}


def main(names: list[str]) -> None:
    record = json.loads(TARGET.read_bytes()) if TARGET.exists() else {}
    for name in names or WAYS:
        record[name] = WAYS[name]()
        write_record(TARGET, record)


if __name__ == "__main__":
    main(sys.argv[1:])
