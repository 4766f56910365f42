"""Keras with TFDS: the source's way to its printed accuracy, and to a first batch.

The source reads prepared TFDS files, decodes and caches them, and fits at Adam's
usual rate. Ours reads the official files, shuffles indices, makes floats of whole
batches, asks Keras to run many steps a call, and lets a higher rate fall along a
cosine. Batch size, rate and length were chosen on the validation split.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from unittest import mock

import keras
import tensorflow as tf
import tensorflow_datasets as tfds
from compare import Comparison, Reproduction, in_turn, seconds, timed, to_accuracy

from mnistlib.data import PreparedDataset, Split, load, locate, prepare_tfds
from mnistlib.keras_models import compile_classifier, mlp
from mnistlib.pipelines import evaluation_pipeline, scale, training_pipeline

PRINTED_ACCURACY = 0.9739  # by the source, on the test set, after six epochs
SOURCE_EPOCHS = 6
OUR_EPOCHS, OUR_BATCH_SIZE, OUR_RATE = 3, 256, 0.008


def source_training(digits: PreparedDataset) -> Iterator[float]:
    """Yield the test accuracy after each epoch."""
    keras.utils.set_random_seed(0)
    (ds_train, ds_test), info = tfds.load(
        digits.name,
        data_dir=digits.data_dir,
        split=["train", "test"],
        shuffle_files=True,
        as_supervised=True,
        with_info=True,
    )
    ds_train = training_pipeline(ds_train, info.splits["train"].num_examples)
    ds_test = evaluation_pipeline(ds_test)
    model = compile_classifier(mlp())
    while True:
        history = model.fit(ds_train, validation_data=ds_test, verbose=0).history
        yield history["val_sparse_categorical_accuracy"][-1]


def our_batches(train: Split) -> tf.data.Dataset:
    """Shuffle indices, gather whole batches of bytes, and make floats of them."""
    images, labels = tf.constant(train.images[..., None]), tf.constant(train.labels)

    def gather(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return scale(tf.gather(images, batch), tf.gather(labels, batch))

    indices = tf.data.Dataset.range(len(train.labels)).shuffle(len(train.labels))
    batches = indices.batch(OUR_BATCH_SIZE, drop_remainder=True)
    return batches.map(gather, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)


def our_training() -> Iterator[float]:
    """Read the digits, and yield the test accuracy after each epoch."""
    keras.utils.set_random_seed(0)
    mnist = load()
    test = mnist.test
    batches = our_batches(mnist.train)
    test_images = test.images[..., None] / tf.constant(255.0)
    model = mlp()
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(OUR_RATE, OUR_EPOCHS * len(batches))
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=len(batches) // 2,
    )
    for _ in range(OUR_EPOCHS):
        model.fit(batches, verbose=0)
        answers = tf.argmax(model(test_images), axis=1, output_type=tf.int32)
        yield float(tf.reduce_mean(tf.cast(answers == test.labels, tf.float32)))


def prepare_anew() -> None:
    """Let TFDS make its files from the official ones, in an empty cache."""
    [folder] = {str(path.parent) for path in locate().paths.values()}
    with tempfile.TemporaryDirectory() as cache:
        settings = {"MNISTLIB_CACHE_DIR": cache, "MNISTLIB_DATA_DIR": folder}
        with mock.patch.dict(os.environ, settings):
            prepare_tfds()


def first_batch() -> None:
    """Go from the same files to a batch of floats."""
    next(iter(our_batches(load().train)))


def comparisons(quick: bool) -> list[Comparison]:
    """Time training to the printed accuracy, and preparation."""
    repeats = 1 if quick else 3
    tfds.disable_progress_bar()
    digits = prepare_tfds()
    ways = [
        to_accuracy(PRINTED_ACCURACY, training, keras.backend.clear_session, 3 * SOURCE_EPOCHS)
        for training in (lambda: source_training(digits), our_training)
    ]
    name = f"Keras MLP, to {PRINTED_ACCURACY} on the test set"
    training = Comparison(name, "s", *in_turn(*ways, repeats), aim=3)
    prepared = in_turn(seconds(prepare_anew), seconds(first_batch), repeats)
    note = "the source's way is TFDS's preparation, once for each machine"
    return [training, Comparison("raw files to a first batch", "s", *prepared, aim=50, note=note)]


def reproductions() -> list[Reproduction]:
    """Run the source's six epochs."""
    accuracies, took = timed(lambda: [*islice(source_training(prepare_tfds()), SOURCE_EPOCHS)])
    label = "Keras, 128 hidden units, 6 epochs"
    return [Reproduction("S0", label, str(PRINTED_ACCURACY), accuracies[-1], took, label)]
