"""Input pipelines with ``tf.data``: the order of the steps, and why.

The chapters on Keras build these functions step by step; a test keeps the two
the same.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

stateless_shuffle = tf.random.experimental.stateless_shuffle


def scale(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Turn pixels into floats from 0 to 1.

    Parameters
    ----------
    image
        uint8, any shape, 0 to 255.
    label
        Handed through.

    Returns
    -------
    image, label
        The image as float32 from 0 to 1, and the label.
    """
    return tf.cast(image, tf.float32) / 255.0, label


def training_pipeline(
    dataset: tf.data.Dataset, num_examples: int, batch_size: int = 128
) -> tf.data.Dataset:
    """Scale, cache, shuffle, batch and prefetch, in this order.

    Parameters
    ----------
    dataset
        Pairs of one uint8 image and its label.
    num_examples
        Length of the shuffle buffer: the whole training split, or 1,000 when
        it doesn't fit in memory.
    batch_size
        Examples in a batch; the last batch may be smaller.

    Returns
    -------
    tf.data.Dataset
        Batches of float32 images from 0 to 1 and their labels, in another
        order every epoch.
    """
    return (
        dataset.map(scale, num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .shuffle(num_examples)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def evaluation_pipeline(dataset: tf.data.Dataset, batch_size: int = 128) -> tf.data.Dataset:
    """Scale, batch, cache and prefetch; the order stays that of the dataset.

    Parameters
    ----------
    dataset
        Pairs of one uint8 image and its label.
    batch_size
        Examples in a batch; the last batch may be smaller.

    Returns
    -------
    tf.data.Dataset
        Batches of float32 images from 0 to 1 and their labels.
    """
    return (
        dataset.map(scale, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size)
        .cache()
        .prefetch(tf.data.AUTOTUNE)
    )


def resumable_pipeline(
    images: np.ndarray,
    labels: np.ndarray,
    epoch: tf.Variable,
    seed: int = 0,
    batch_size: int = 128,
) -> tf.data.Dataset:
    """Shuffle in an order that depends on the seed and the epoch's number alone.

    ``Dataset.shuffle`` counts how often it was iterated, so training that was
    cut off and started again would see its first epoch's order once more.

    Parameters
    ----------
    images
        uint8, ``(n, ...)``.
    labels
        ``(n,)``.
    epoch
        int64, on the CPU: the number of the epoch, read when an iteration
        begins; that of :class:`mnistlib.callbacks.SeedEpochs`.
    seed
        Another seed gives other orders.
    batch_size
        Examples in a batch; the last batch may be smaller.

    Returns
    -------
    tf.data.Dataset
        Batches of float32 images from 0 to 1 and their labels.
    """
    with tf.device("CPU"):
        images, labels = tf.constant(images), tf.constant(labels)

    def shuffled_indices(_: tf.Tensor) -> tf.data.Dataset:
        order = stateless_shuffle(tf.range(len(labels)), [seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order)

    def examples(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return scale(tf.gather(images, indices), tf.gather(labels, indices))

    return (
        tf.data.Dataset.range(1)
        .flat_map(shuffled_indices)
        .apply(tf.data.experimental.assert_cardinality(len(labels)))
        .batch(batch_size)
        .map(examples, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
