"""Chapters 3 and 4 from five seeds: how wide their limits have to be, what dropout does.

    python benchmarks/seeds.py

It takes some five minutes and writes ``benchmarks/seeds.json``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import environment  # noqa: F401  before what reads it
import keras
import numpy as np
import tensorflow as tf
from pipelines import source_pipeline

from mnistlib.data import load
from mnistlib.files import atomic_write
from mnistlib.keras_models import dropout_mlp

TARGET = Path(__file__).with_name("seeds.json")
SEEDS = range(5)


def main() -> None:
    mnist = load()
    images, test_images = (s.images / np.float32(255) for s in (mnist.train, mnist.test))
    labels, test_labels = (
        keras.utils.to_categorical(s.labels, 10) for s in (mnist.train, mnist.test)
    )
    examples = tf.data.Dataset.from_tensor_slices((mnist.train.images, mnist.train.labels))

    def train(model: keras.Model, *data: object, **options: object) -> keras.Model:
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(*data, verbose=0, **options)
        return model

    def accuracy(model: keras.Model, right: int = 0) -> float:
        moved = np.pad(test_images, ((0, 0), (0, 0), (right, 0)))[..., :28]
        return round(model.evaluate(moved, test_labels, verbose=0)[1], 4)

    def without_dropout() -> keras.Model:
        layers = dropout_mlp("softmax").layers
        return keras.Sequential([each for each in layers if each.name[:7] != "dropout"])

    def shifted() -> keras.Model:
        shift = keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant")
        reshape = keras.layers.Reshape((28, 28, 1))
        return keras.Sequential([reshape, shift, *dropout_mlp("softmax").layers])

    networks = {
        "03_input_pipelines": lambda: dropout_mlp("softmax"),
        "without dropout": without_dropout,
        "shifted": shifted,
    }
    found: dict[str, list[float]] = defaultdict(list)
    for seed in SEEDS:
        for name, build in networks.items():
            keras.utils.set_random_seed(seed)
            model = train(build(), images, labels, epochs=5)
            found[name].append(accuracy(model))
            found[f"{name}, 2 pixels right"].append(accuracy(model, right=2))
        keras.utils.set_random_seed(seed)
        batches = source_pipeline(examples)
        model = train(dropout_mlp("softmax"), batches, steps_per_epoch=2_000)
        found["04_callbacks"].append(accuracy(model))
        print(*(f"{name} {values[-1]:.4f}" for name, values in found.items()), flush=True)
    with atomic_write(TARGET) as file:
        file.write((json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
