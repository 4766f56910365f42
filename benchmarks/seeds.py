"""The results of chapters 3 and 4 from five seeds: how wide their limits have to be.

    python benchmarks/seeds.py

It takes some two minutes and writes ``benchmarks/seeds.json``.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mnistlib.data import load
from mnistlib.files import atomic_write
from mnistlib.keras_models import dropout_mlp

TARGET = Path(__file__).with_name("seeds.json")
SEEDS = range(5)


def main() -> None:
    mnist = load()
    splits = mnist.train, mnist.test
    images, test_images = (split.images / np.float32(255) for split in splits)
    labels, test_labels = (keras.utils.to_categorical(split.labels, 10) for split in splits)

    def accuracy(*data: object, **options: object) -> float:
        model = dropout_mlp("softmax")
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(*data, verbose=0, **options)
        return round(model.evaluate(test_images, test_labels, verbose=0)[1], 4)

    found: dict[str, list[float]] = {"03_input_pipelines": [], "04_callbacks": []}
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        found["03_input_pipelines"].append(accuracy(images, labels, epochs=5))
        keras.utils.set_random_seed(seed)
        batches = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(60_000)
        batches = batches.batch(32).repeat()
        found["04_callbacks"].append(accuracy(batches, steps_per_epoch=2_000))
        print(*(f"{name} {values[-1]:.4f}" for name, values in found.items()), flush=True)
    with atomic_write(TARGET) as file:
        file.write((json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
