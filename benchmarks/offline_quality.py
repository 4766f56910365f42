"""How well do the offline digits stand in for MNIST?

    python benchmarks/offline_quality.py

Three networks are trained on drawn digits and on MNIST, each with several seeds,
and tested on digits of the same kind; those trained on drawn digits are tested on
MNIST's test set as well. Needs real MNIST. Prints a table and writes it to
benchmarks/offline_quality.json, from which the book's page takes its numbers.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import environment  # noqa: F401  before Keras
import keras
import numpy as np
from compare import write_record

from mnistlib import MnistError
from mnistlib.data import Split, load, offline
from mnistlib.keras_models import mlp
from mnistlib.machine import current_device, current_versions

RECORD = Path(__file__).with_suffix(".json")
BATCH_SIZE = 128
SEEDS = 3


def softmax_regression() -> keras.Model:
    return keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )


def cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.4),
            keras.layers.Dense(10),
        ]
    )


NETWORKS = {
    "softmax regression": (softmax_regression, 5),
    "MLP, 128 hidden units": (mlp, 5),
    "small CNN": (cnn, 4),
}


def train(build, epochs: int, digits: Split, seed: int) -> keras.Model:
    """Train a network with Adam, its rate falling to zero along a cosine."""
    keras.utils.set_random_seed(seed)
    model = build()
    num_steps = epochs * -(-len(digits.labels) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(0.001, num_steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(scaled(digits), digits.labels, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return model


def accuracy(model: keras.Model, digits: Split) -> float:
    return model.evaluate(scaled(digits), digits.labels, batch_size=1000, verbose=0)[1]


def scaled(digits: Split) -> np.ndarray:
    return digits.images[..., None] / np.float32(255)


def measure() -> dict[str, dict[str, list[float]]]:
    """Return accuracies by network and by what it was trained and tested on."""
    mnist = load()
    measured = {name: {"mnist": [], "drawn": [], "transfer": []} for name in NETWORKS}
    for seed in range(SEEDS):
        arrays = offline.draw(seed)
        drawn = Split(arrays["train_images"], arrays["train_labels"])
        drawn_test = Split(arrays["test_images"], arrays["test_labels"])
        for name, (build, epochs) in NETWORKS.items():
            on_mnist = train(build, epochs, mnist.train, seed)
            on_drawn = train(build, epochs, drawn, seed)
            measured[name]["mnist"].append(accuracy(on_mnist, mnist.test))
            measured[name]["drawn"].append(accuracy(on_drawn, drawn_test))
            measured[name]["transfer"].append(accuracy(on_drawn, mnist.test))
            print(f"seed {seed}, {name}: done", file=sys.stderr)
    return measured


def main() -> int:
    try:
        measured = measure()
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    record = {
        "seeds": SEEDS,
        "device": current_device("tensorflow"),
        "versions": current_versions("tensorflow"),
        "networks": {
            name: {
                kind: {"mean": statistics.mean(values), "deviation": statistics.stdev(values)}
                for kind, values in kinds.items()
            }
            for name, kinds in measured.items()
        },
    }
    for name, kinds in record["networks"].items():
        for kind, value in kinds.items():
            print(f"{name:22} {kind:9} {value['mean']:.4f} +- {value['deviation']:.4f}")
    write_record(RECORD, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
