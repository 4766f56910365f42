"""A network with two hidden layers, from JAX's primitives. Imports no TensorFlow.

The chapter on JAX from scratch writes most of these functions step by step, and the
chapter after it :func:`train_epoch`; a test keeps the two the same.

Parameters are a list of one pair ``(weights, biases)`` for each layer, with weights
of shape ``(num_outputs, num_inputs)``: a tree of arrays, as JAX takes it anywhere.

Signatures carry shapes in jaxtyping's notation, which docstrings don't repeat. They are
for the reader: nothing checks them when a function is called. Arrays are float32 unless
a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax import Array, grad, jit, lax, nn, random, tree, vmap
from jax.scipy.special import logsumexp
from jaxtyping import Float, Int

from mnistlib.errors import MnistError

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray  # needs JAX itself, which the API page is built without

Params = list[tuple[Array, Array]]
LAYER_SIZES = (784, 512, 512, 10)


def random_layer_params(
    num_inputs: int, num_outputs: int, key: PRNGKeyArray, scale: float = 1e-2
) -> tuple[Float[Array, "outputs inputs"], Float[Array, " outputs"]]:
    """Draw the weights and biases of one layer from a normal distribution.

    Parameters
    ----------
    num_inputs, num_outputs
        Length of the vectors that go in and come out.
    key
        A key of ``jax.random``.
    scale
        Standard deviation, of the biases too.
    """
    weight_key, bias_key = random.split(key)
    weights = scale * random.normal(weight_key, (num_outputs, num_inputs))
    biases = scale * random.normal(bias_key, (num_outputs,))
    return weights, biases


def init_params(sizes: Sequence[int], key: PRNGKeyArray) -> Params:
    """Draw the parameters of all layers, each from a key of its own.

    Parameters
    ----------
    sizes
        Length of the input, of each hidden layer and of the output.
    key
        A key of ``jax.random``.

    Examples
    --------
    >>> params = init_params(LAYER_SIZES, random.key(0))
    >>> [weights.shape for weights, biases in params]
    [(512, 784), (512, 512), (10, 512)]
    """
    keys = random.split(key, len(sizes) - 1)
    return [
        random_layer_params(num_inputs, num_outputs, layer_key)
        for num_inputs, num_outputs, layer_key in zip(sizes[:-1], sizes[1:], keys, strict=True)
    ]


def predict(params: Params, image: Float[Array, " pixels"]) -> Float[Array, " classes"]:
    """Compute the logarithms of the class probabilities of *one* image.

    Parameters
    ----------
    params
        As :func:`init_params` gives them.
    image
        784 pixels, of any number type.
    """
    activations = image
    for weights, biases in params[:-1]:
        activations = nn.relu(weights @ activations + biases)
    weights, biases = params[-1]
    logits = weights @ activations + biases
    return logits - logsumexp(logits)


# Log-probabilities (batch, 10) of images (batch, 784).
predict_batch = vmap(predict, in_axes=(None, 0))


def one_hot(labels: Int[Array, " batch"], num_classes: int = 10) -> Float[Array, "batch classes"]:
    """Turn each label into a row with a 1 in its place.

    Examples
    --------
    >>> one_hot(jnp.array([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return jnp.array(labels[:, None] == jnp.arange(num_classes), jnp.float32)


def cross_entropy(
    params: Params, images: Float[Array, "batch pixels"], targets: Float[Array, "batch classes"]
) -> Float[Array, ""]:
    """Compute the mean over the examples of minus the log-probability of the label, in nats.

    Targets are one-hot labels.
    """
    return -jnp.mean(jnp.sum(predict_batch(params, images) * targets, axis=1))


@jit
def accuracy(
    params: Params, images: Float[Array, "batch pixels"], targets: Float[Array, "batch classes"]
) -> Float[Array, ""]:
    """Return the share of images, from 0 to 1, whose likeliest class is their label."""
    answers = jnp.argmax(predict_batch(params, images), axis=1)
    return jnp.mean(answers == jnp.argmax(targets, axis=1))


def descend(params: Params, gradients: Params, learning_rate: float) -> Params:
    """Take one step of gradient descent: ``params - learning_rate * gradients``."""
    return tree.map(lambda p, g: p - learning_rate * g, params, gradients)


@partial(jit, static_argnames=("loss", "batch_size"), donate_argnames="params")
def train_epoch(
    params: Params,
    images: Float[Array, "n pixels"],
    targets: Float[Array, "n classes"],
    order: Int[Array, " n"],
    learning_rate: float,
    loss: Callable[[Params, Array, Array], Array] = cross_entropy,
    batch_size: int = 128,
) -> Params:
    """Go once through the examples with stochastic gradient descent.

    The whole epoch is one call to the device.

    Parameters
    ----------
    params
        As :func:`init_params` gives them. Their memory is used for the result:
        they can't be used after the call.
    images, targets
        Pixels and one-hot labels, on the device.
    order
        Indices of examples in the order in which they are dealt into batches.
    learning_rate
        Step size, without unit.
    loss
        Takes parameters, images and targets, gives a number.
    batch_size
        Examples in a batch; the last batch may be smaller.
    """

    def step(params, batch):
        gradients = grad(loss)(params, images[batch], targets[batch])
        return descend(params, gradients, learning_rate), None

    num_full = len(order) // batch_size * batch_size
    batches = order[:num_full].reshape(-1, batch_size)
    params, _ = lax.scan(step, params, batches)
    if num_full < len(order):
        params, _ = step(params, order[num_full:])
    return params


def to_device(
    images: np.ndarray, labels: np.ndarray
) -> tuple[Float[Array, "n pixels"], Float[Array, "n classes"]]:
    """Put a split on JAX's device, as the network takes it: from 0 to 1, and one-hot.

    Parameters
    ----------
    images
        uint8, ``(n, 28, 28)``, 0 to 255.
    labels
        ``(n,)``, 0 to 9.

    Raises
    ------
    mnistlib.MnistError
        If there isn't one label for each image.
    """
    if len(images) != len(labels):
        raise MnistError(
            f"{len(images)} images and {len(labels)} labels: give one label for each image"
        )
    flat = jnp.asarray(images.reshape(len(images), -1))
    return flat / jnp.float32(255), one_hot(jnp.asarray(labels))
