"""Input pipelines with ``tf.data``: the order of the steps, and why.

The chapter on Keras and TFDS builds these functions step by step; a test keeps
the two the same.
"""

from __future__ import annotations

import tensorflow as tf


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
