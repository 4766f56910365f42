"""Keras: describe the network and how to train it, and call ``fit``."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import tensorflow as tf

from mnistlib.data import Split
from mnistlib.keras_models import compile_classifier, mlp
from mnistlib.pipelines import training_pipeline
from mnistlib.programs import BATCH_SIZE, LEARNING_RATE, Classifier


def train(split: Split, seed: int) -> Iterator[Classifier]:
    """Train with ``fit``, an epoch at a time, as :mod:`mnistlib.programs` says."""
    keras.utils.set_random_seed(seed)
    model = compile_classifier(mlp(), LEARNING_RATE)
    dataset = tf.data.Dataset.from_tensor_slices((split.images[..., None], split.labels))
    dataset = training_pipeline(dataset, len(split.labels), BATCH_SIZE)
    while True:
        model.fit(dataset, verbose=0)
        yield lambda images: model(images.reshape(-1, 28, 28, 1))
