"""Keras: describe the network and how to train it, and call ``fit``. On any backend."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from mnistlib.data import Split
from mnistlib.keras_models import compile_classifier, mlp
from mnistlib.programs import BATCH_SIZE, LEARNING_RATE, Classifier, flatten_and_scale


def train(split: Split, seed: int) -> Iterator[Classifier]:
    """Train with ``fit``, an epoch at a time, as :mod:`mnistlib.programs` says."""
    keras.utils.set_random_seed(seed)
    model = compile_classifier(mlp(), LEARNING_RATE)
    images = flatten_and_scale(split.images).reshape(-1, 28, 28, 1)
    while True:
        model.fit(images, split.labels, batch_size=BATCH_SIZE, verbose=0)
        yield lambda images: model(images.reshape(-1, 28, 28, 1))
