"""TensorFlow below Keras: variables, a tape, an epoch compiled into one program."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise

import tensorflow as tf

from mnistlib.data import Split
from mnistlib.programs import BATCH_SIZE, LAYER_SIZES, LEARNING_RATE, Classifier, flatten_and_scale
from mnistlib.tf_softmax import Adam, Model, compiled_epoch, make_batches, shuffle

truncated_normal = tf.random.stateless_truncated_normal


class Mlp(Model):
    """A network with one hidden layer.

    Parameters
    ----------
    seed
        Of the weights, which come from a normal distribution of deviation 0.1 without
        its tails. The biases start at 0.

    Attributes
    ----------
    params : list of tf.Variable
        Weights ``(784, 128)``, biases ``(128,)``, weights ``(128, 10)``, biases ``(10,)``.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.params = []
        for layer, shape in enumerate(pairwise(LAYER_SIZES)):
            weights = truncated_normal(shape, [seed, layer], stddev=0.1)
            biases = tf.zeros(shape[1])
            self.params += [tf.Variable(weights), tf.Variable(biases)]
        self.optimizer = Adam(self.params, LEARNING_RATE)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Return logits, float32 ``(batch, 10)``, of images ``(batch, 784)``."""
        weights, biases, last_weights, last_biases = self.params
        hidden = tf.nn.relu(images @ weights + biases)
        return hidden @ last_weights + last_biases


def train(split: Split, seed: int) -> Iterator[Classifier]:
    """Train with one call an epoch, the digits on the device, as :mod:`mnistlib.programs` says.

    The examples that fill no batch are left out of an epoch, others each time.
    """
    network = Mlp(seed)
    images = tf.constant(flatten_and_scale(split.images))
    labels = tf.constant(split.labels, tf.int64)
    for epoch in count():
        # A seed of its own for each epoch of each run.
        examples = shuffle(images, labels, seed=1_000 * seed + epoch)
        loss = compiled_epoch(network, *make_batches(*examples, BATCH_SIZE))
        loss.numpy()  # waits until a GPU is done
        yield network
