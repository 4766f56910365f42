"""Writing and reading TFRecords: the source's way against the library's.

    python benchmarks/tfrecords.py [--quick]

The source writes one Example at a time from eager tensors, and parses one example
at a time. The library takes arrays, and parses whole batches.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from compare import Comparison, Reproduction, in_turn, main

from mnistlib.data import load
from mnistlib.keras_models import cnn
from mnistlib.tfrecord import read, write

BATCH_SIZE = 32
SPEC = {
    "height": tf.io.FixedLenFeature([], tf.int64),
    "width": tf.io.FixedLenFeature([], tf.int64),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "image": tf.io.FixedLenFeature([], tf.string),
}


def bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def int64_feature(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def source_write(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in dataset:
            feature = {
                "height": int64_feature(image.shape[0]),
                "width": int64_feature(image.shape[1]),
                "label": int64_feature(label.numpy()),
                "image": bytes_feature(tf.io.serialize_tensor(image).numpy()),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def source_write_quickly(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write what ``source_write`` writes: all serialised images begin with the same bytes."""
    head = tf.io.serialize_tensor(images[0]).numpy()[: -images[0].size]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in zip(images, labels.tolist(), strict=True):
            feature = {
                "height": int64_feature(image.shape[0]),
                "width": int64_feature(image.shape[1]),
                "label": int64_feature(label),
                "image": bytes_feature(head + image.tobytes()),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def source_parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    example = tf.io.parse_single_example(serialized, SPEC)
    image = tf.io.parse_tensor(example["image"], tf.uint8)
    return tf.reshape(image, [28, 28, 1]), example["label"]


def source_examples(path: Path) -> tf.data.Dataset:
    records = tf.data.TFRecordDataset(str(path))
    return records.map(source_parse, num_parallel_calls=tf.data.AUTOTUNE)


def source_read(path: Path) -> tf.data.Dataset:
    return source_examples(path).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


def drain(dataset: tf.data.Dataset) -> None:
    """Take every batch within TensorFlow, as ``fit`` does: no loop in Python."""
    dataset.reduce(np.int64(0), lambda count, _: count + 1)


def comparisons(quick: bool) -> list[Comparison]:
    """Measure both rates.

    Parameters
    ----------
    quick
        Fewer examples and repeats.

    Returns
    -------
    list of Comparison
        Examples a second, medians.
    """
    images, labels = load().train
    images, labels = images[..., None], labels.astype(np.int64)
    repeats = 3 if quick else 5
    num_slow = 2_000 if quick else 10_000
    num_read = len(labels)

    with tempfile.TemporaryDirectory() as scratch:
        names = (Path(scratch, f"{i}") for i in range(2 * repeats + 2))

        def rate(run, count):
            start = time.perf_counter()
            run()
            return count / (time.perf_counter() - start)

        def write_ours(count):
            write(next(names), {"image": images[:count], "label": labels[:count]})

        written = in_turn(
            lambda: rate(
                lambda: source_write(next(names), images[:num_slow], labels[:num_slow]), num_slow
            ),
            lambda: rate(lambda: write_ours(num_read), num_read),
            repeats,
        )
        theirs, ours = Path(scratch, "theirs"), Path(scratch, "ours")
        source_write_quickly(theirs, images, labels)
        write(ours, {"image": images, "label": labels})
        source_epoch, our_epoch = (
            source_read(theirs),
            read(ours, BATCH_SIZE, keys=("image", "label")),
        )
        parsed = in_turn(
            lambda: rate(lambda: drain(source_epoch), num_read),
            lambda: rate(lambda: drain(our_epoch), num_read),
            repeats,
        )
    unit = "images/s"
    return [
        Comparison("write TFRecords", unit, *written, aim=10, higher_is_better=True),
        Comparison(
            f"read TFRecords, batches of {BATCH_SIZE}",
            unit,
            *parsed,
            aim=5,
            higher_is_better=True,
            note="one epoch; opening the files, with ours a check of their sums, isn't counted",
        ),
    ]


def reproductions() -> list[Reproduction]:
    """Train the CNN on the source's files and pipeline, as the source does."""
    mnist = load()
    num_examples = len(mnist.train.labels)
    with tempfile.TemporaryDirectory() as scratch:
        paths = []
        for name, split in (("train", mnist.train), ("test", mnist.test)):
            paths.append(Path(scratch, f"{name}_images.tfrecords"))
            arrays = split.images[..., None], split.labels.astype(np.int64)
            source_write_quickly(paths[-1], *arrays)
        train, test = (source_examples(path) for path in paths)
        keras.utils.set_random_seed(0)
        model = cnn()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        start = time.perf_counter()
        model.fit(
            train.shuffle(1_000).batch(BATCH_SIZE).repeat().prefetch(tf.data.AUTOTUNE),
            epochs=2,
            steps_per_epoch=num_examples // BATCH_SIZE,
            verbose=0,
        )
        seconds = time.perf_counter() - start
        _, today = model.evaluate(test.batch(BATCH_SIZE), verbose=0)
    label = "CNN from TFRecords, 2 epochs"
    return [Reproduction("S3", label, "about 0.95", today, seconds, label)]


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0], "tensorflow", comparisons, reproductions))
