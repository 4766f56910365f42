"""Softmax regression in low-level TensorFlow: variables, a tape, a compiled epoch.

The chapter on low-level TensorFlow builds all of this step by step; a test keeps
the two the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits

# Of Adam: how much of the running means is kept in a step, and what keeps it from dividing by 0.
BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-8


class Adam(tf.Module):
    """The optimizer Adam, written out.

    Parameters
    ----------
    variables
        What to change, in the order in which gradients will come.
    learning_rate
        How far a number moves in a step while its gradient stays the same, whatever
        that is, as long as it is much larger than ``EPSILON``.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization (2015), in the order
    of computation of the end of its section 2, as TensorFlow has it.
    """

    def __init__(self, variables: Sequence[tf.Variable], learning_rate: float) -> None:
        super().__init__()
        self.parameters = list(variables)
        self.learning_rate = learning_rate
        self.means = [tf.Variable(0 * each) for each in variables]
        self.mean_squares = [tf.Variable(0 * each) for each in variables]
        self.step = tf.Variable(0.0)

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """Change each variable by one step.

        Parameters
        ----------
        gradients
            One for each variable, of its shape.
        """
        self.step.assign_add(1.0)
        correction = tf.sqrt(1 - BETA_2**self.step) / (1 - BETA_1**self.step)
        rate = self.learning_rate * correction
        moments = zip(self.means, self.mean_squares, strict=True)
        changes = zip(self.parameters, gradients, moments, strict=True)
        for parameter, gradient, (mean, square) in changes:
            mean.assign(BETA_1 * mean + (1 - BETA_1) * gradient)
            square.assign(BETA_2 * square + (1 - BETA_2) * gradient**2)
            parameter.assign_sub(rate * mean / (tf.sqrt(square) + EPSILON))


class Model(tf.Module):
    """A network that can learn.

    A subclass gives logits when it is called, and has an ``optimizer`` such as
    :class:`Adam`.
    """

    def loss(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Return the mean cross entropy in nats, of shape ``()``.

        Parameters
        ----------
        images, labels
            float32 ``(batch, 784)``, and integers ``(batch,)`` from 0 to 9.
        """
        losses = cross_entropy(labels=labels, logits=self(images))
        return tf.reduce_mean(losses)

    def train_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Learn from one batch; return the loss before that.

        Parameters
        ----------
        images, labels
            As for :meth:`loss`.
        """
        with tf.GradientTape() as tape:
            loss = self.loss(images, labels)
        gradients = tape.gradient(loss, self.optimizer.parameters)
        self.optimizer.apply(gradients)
        return loss


class SoftmaxRegression(Model):
    """A linear classifier of 784 pixels into ten classes, trained with Adam.

    Parameters
    ----------
    learning_rate
        Of :class:`Adam`.

    Attributes
    ----------
    weights : tf.Variable
        float32 ``(10, 784)``, a row for each class; zeros at first. The compiled
        epoch takes twice as long on a CPU where they lie as ``(784, 10)``.
    biases : tf.Variable
        float32 ``(10,)``, zeros at first.
    """

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.zeros([10, 784]))
        self.biases = tf.Variable(tf.zeros([10]))
        self.optimizer = Adam([self.weights, self.biases], learning_rate)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Return logits, float32 ``(batch, 10)``, of images ``(batch, 784)``."""
        return tf.matmul(images, self.weights, transpose_b=True) + self.biases


def make_batches(
    images: tf.Tensor, labels: tf.Tensor, batch_size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cut the examples into batches, in their order.

    Parameters
    ----------
    images
        float32 ``(n, 784)``.
    labels
        Integers ``(n,)``.
    batch_size
        Examples in a batch; those that fill no batch are left out.

    Returns
    -------
    images, labels : tf.Tensor
        ``(n // batch_size, batch_size, 784)`` and ``(n // batch_size, batch_size)``.
    """
    num_steps = len(labels) // batch_size
    used = num_steps * batch_size
    return (
        tf.reshape(images[:used], [num_steps, batch_size, -1]),
        tf.reshape(labels[:used], [num_steps, batch_size]),
    )


def shuffle(images: tf.Tensor, labels: tf.Tensor, seed: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Bring the examples into an order that depends on the seed alone.

    Parameters
    ----------
    images, labels
        Of the same length.
    seed
        Another number gives another order.

    Returns
    -------
    images, labels : tf.Tensor
        The same pairs.
    """
    order = tf.random.experimental.stateless_shuffle(tf.range(len(labels)), seed=[seed, 0])
    return tf.gather(images, order), tf.gather(labels, order)


def train_epoch(model: Model, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Learn from every batch once.

    It runs as it is, one operation after the other, or within a ``tf.function``,
    where AutoGraph turns the loop into one of the graph's.

    Parameters
    ----------
    model
        Learns, as :class:`SoftmaxRegression` does, and is changed.
    images, labels
        Batches, as :func:`make_batches` gives them.

    Returns
    -------
    tf.Tensor
        The mean loss of the batches, each before its step; float32, a scalar.
    """
    total = 0.0
    for step in tf.range(len(labels)):
        total += model.train_step(images[step], labels[step])
    return total / len(labels)


#: :func:`train_epoch` as one compiled program for each model and shape.
compiled_epoch = tf.function(train_epoch, jit_compile=True)


def accuracy(model: Model, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the share of the images whose highest logit is the label's.

    Parameters
    ----------
    model
        Called with the images, gives logits ``(n, num_classes)``.
    images, labels
        ``(n, 784)``, and int64 ``(n,)``.
    """
    hits = tf.argmax(model(images), axis=1) == labels
    return tf.reduce_mean(tf.cast(hits, tf.float32))
