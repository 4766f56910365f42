"""Writing and reading TFRecords: the source's way against the library's.

The source writes one Example at a time from eager tensors, and parses one example
at a time. The library takes arrays, and parses whole batches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from compare import Comparison, Reproduction, in_turn, rate, timed

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


def source_example(image: bytes, label: int) -> bytes:
    feature = {
        "height": int64_feature(28),
        "width": int64_feature(28),
        "label": int64_feature(label),
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString()


def int64_feature(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def source_write(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    dataset = tf.data.Dataset.from_tensor_slices((images, labels))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in dataset:
            writer.write(source_example(tf.io.serialize_tensor(image).numpy(), label.numpy()))


def source_write_quickly(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write what ``source_write`` writes: all serialised images begin with the same bytes."""
    head = tf.io.serialize_tensor(images[0]).numpy()[: -images[0].size]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label in zip(images, labels.tolist(), strict=True):
            writer.write(source_example(head + image.tobytes(), label))


def source_parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    example = tf.io.parse_single_example(serialized, SPEC)
    image = tf.io.parse_tensor(example["image"], tf.uint8)
    return tf.reshape(image, [28, 28, 1]), example["label"]


def source_examples(path: Path) -> tf.data.Dataset:
    records = tf.data.TFRecordDataset(str(path))
    return records.map(source_parse, num_parallel_calls=tf.data.AUTOTUNE)


def drained(dataset: tf.data.Dataset) -> Callable[[], object]:
    """Make a function that takes every batch within TensorFlow, as ``fit`` does."""
    return lambda: dataset.reduce(np.int64(0), lambda count, _: count + 1)


def comparisons(quick: bool) -> list[Comparison]:
    """Measure how many examples a second are written and read."""
    images, labels = load().train
    images, labels = images[..., None], labels.astype(np.int64)
    repeats = 3 if quick else 5
    num_all, num_slow = len(labels), 2_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as scratch:
        numbers = count()

        def new() -> Path:
            return Path(scratch, str(next(numbers)))

        def write_ours(folder: Path) -> None:
            write(folder, {"image": images, "label": labels})

        written = in_turn(
            rate(num_slow, lambda: source_write(new(), images[:num_slow], labels[:num_slow])),
            rate(num_all, lambda: write_ours(new())),
            repeats,
        )
        theirs, ours = new(), new()
        source_write_quickly(theirs, images, labels)
        write_ours(ours)
        datasets = (
            source_examples(theirs).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE),
            read(ours, BATCH_SIZE, keys=("image", "label")),
        )
        parsed = in_turn(*(rate(num_all, drained(each)) for each in datasets), repeats)
    name, note = (
        f"read TFRecords, batches of {BATCH_SIZE}",
        "one epoch; opening the files isn't counted",
    )
    return [
        Comparison("write TFRecords", "images/s", *written, aim=10, higher_is_better=True),
        Comparison(name, "images/s", *parsed, aim=5, higher_is_better=True, note=note),
    ]


def reproductions() -> list[Reproduction]:
    """Train the CNN on the source's files and pipeline, as the source does."""
    mnist = load()
    num_steps = len(mnist.train.labels) // BATCH_SIZE
    with tempfile.TemporaryDirectory() as scratch:
        examples = {}
        for name, split in (("train", mnist.train), ("test", mnist.test)):
            path = Path(scratch, f"{name}_images.tfrecords")
            source_write_quickly(path, split.images[..., None], split.labels.astype(np.int64))
            examples[name] = source_examples(path)
        keras.utils.set_random_seed(0)
        model = cnn()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        shuffled = examples["train"].shuffle(1_000).batch(BATCH_SIZE)
        batches = shuffled.repeat().prefetch(tf.data.AUTOTUNE)
        _, took = timed(lambda: model.fit(batches, epochs=2, steps_per_epoch=num_steps, verbose=0))
        _, today = model.evaluate(examples["test"].batch(BATCH_SIZE), verbose=0)
    label = "CNN from TFRecords, 2 epochs"
    return [Reproduction("S3", label, "about 0.95", today, took, label)]
