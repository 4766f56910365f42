"""The results of chapters 3 and 4 from five seeds: how wide their limits have to be.

    python benchmarks/seeds.py

It takes some two minutes and writes ``benchmarks/seeds.json``.
"""

from __future__ import annotations

import json
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
    test_set = test_images, keras.utils.to_categorical(mnist.test.labels, 10)
    labels = keras.utils.to_categorical(mnist.train.labels, 10)
    examples = tf.data.Dataset.from_tensor_slices((mnist.train.images, mnist.train.labels))

    def accuracy(*data: object, **options: object) -> float:
        model = dropout_mlp("softmax")
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(*data, verbose=0, **options)
        return round(model.evaluate(*test_set, verbose=0)[1], 4)

    found: dict[str, list[float]] = {"03_input_pipelines": [], "04_callbacks": []}
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        found["03_input_pipelines"].append(accuracy(images, labels, epochs=5))
        keras.utils.set_random_seed(seed)
        batches = source_pipeline(examples)
        found["04_callbacks"].append(accuracy(batches, steps_per_epoch=2_000))
        print(*(f"{name} {values[-1]:.4f}" for name, values in found.items()), flush=True)
    with atomic_write(TARGET) as file:
        file.write((json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
