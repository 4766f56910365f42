"""A small convolutional network and Adam, from JAX's primitives. Imports no TensorFlow.

The chapter on a CNN in JAX writes these functions step by step; a test keeps the two the
same. Parameters are a list of one pair ``(weights, biases)`` for each layer.
As in :mod:`mnistlib.jax_mlp`, the shapes in signatures are for the reader, and arrays are
float32 unless a docstring says otherwise. Keys are those of ``jax.random``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
from jax import Array, jit, lax, nn, random, tree, value_and_grad, vmap
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from jaxtyping import PRNGKeyArray  # needs JAX itself, which the API page is built without

Params = list[tuple[Array, Array]]
# Weights of two convolutions (height, width, channels in, out) and two dense layers.
LAYER_SHAPES = ((5, 5, 1, 32), (3, 3, 32, 64), (7 * 7 * 64, 64), (64, 10))


class TrainState(NamedTuple):
    """What training carries from step to step.

    Attributes
    ----------
    params : list
        The network's parameters.
    mean, square : list
        Running means of the gradients and of their squares.
    count : jax.Array
        How many steps were taken, int32, of shape ``()``.
    key : jax.Array
        Where the random numbers of all steps come from.
    """

    params: Params
    mean: Params
    square: Params
    count: Array
    key: PRNGKeyArray


def init_cnn(key: PRNGKeyArray) -> Params:
    """Draw the parameters as He and others do for relu; biases are zero.

    Examples
    --------
    >>> [weights.shape for weights, biases in init_cnn(random.key(0))]
    [(5, 5, 1, 32), (3, 3, 32, 64), (3136, 64), (64, 10)]
    """
    keys = random.split(key, len(LAYER_SHAPES))
    draw = nn.initializers.he_normal()
    return [
        (draw(layer_key, shape), jnp.zeros(shape[-1]))
        for layer_key, shape in zip(keys, LAYER_SHAPES, strict=True)
    ]


def conv(
    images: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "rows columns inputs outputs"],
    stride: int,
) -> Float[Array, "batch new_height new_width outputs"]:
    """Slide a kernel over images, with zeros around them, by ``stride`` pixels at a time.

    The new height and width are ``ceil(height / stride)`` and ``ceil(width / stride)``.
    """
    return lax.conv_general_dilated(
        images,
        kernel,
        window_strides=(stride, stride),
        padding="SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def cnn_logits(
    params: Params, images: Float[Array, "batch 28 28 1"]
) -> Float[Array, "batch classes"]:
    """Compute ten logits for each image, whose pixels are from 0 to 1.

    Two convolutions, two dense layers; parameters as :func:`init_cnn` gives them.
    """
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = params
    hidden = nn.relu(conv(images, w1, stride=2) + b1)
    hidden = nn.relu(conv(hidden, w2, stride=2) + b2)
    hidden = nn.relu(hidden.reshape(len(images), -1) @ w3 + b3)
    return hidden @ w4 + b4


def cnn_loss(
    params: Params, images: Float[Array, "batch 28 28 1"], labels: Int[Array, " batch"]
) -> Float[Array, ""]:
    """Return the mean cross-entropy in nats."""
    log_probabilities = nn.log_softmax(cnn_logits(params, images))
    picked = jnp.take_along_axis(log_probabilities, labels[:, None], axis=1)
    return -jnp.mean(picked)


def one_cycle(
    count: Int[Array, ""] | int, num_steps: Int[Array, ""] | int, peak: float
) -> Float[Array, ""]:
    """Return the learning rate of a step: up to a peak in a fifth of the steps, then down.

    Examples
    --------
    >>> [round(float(one_cycle(count, 100, 0.5)), 2) for count in (0, 10, 20, 60, 100)]
    [0.0, 0.25, 0.5, 0.25, 0.0]
    """
    warmup = num_steps // 5
    rising = count / warmup
    falling = (num_steps - count) / (num_steps - warmup)
    return peak * jnp.minimum(rising, falling)


def adam_init(params: Params, key: PRNGKeyArray) -> TrainState:
    """Begin: both running means are zero."""
    return TrainState(
        params,
        tree.map(jnp.zeros_like, params),
        tree.map(jnp.zeros_like, params),
        jnp.array(0),
        key,
    )


def adam_update(state: TrainState, gradients: Params, rate: Float[Array, ""] | float) -> TrainState:
    """Take one step of Adam, of a size without unit, and return the state after it.

    References
    ----------
    D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
    """
    count = state.count + 1
    mean = tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.mean, gradients)
    square = tree.map(lambda s, g: 0.999 * s + 0.001 * g**2, state.square, gradients)
    # Both started at zero: undo the pull towards it.
    scaled_rate = rate / (1 - 0.9**count)
    bias_correction = 1 - 0.999**count
    params = tree.map(
        lambda p, m, s: p - scaled_rate * m / (jnp.sqrt(s / bias_correction) + 1e-8),
        state.params,
        mean,
        square,
    )
    return TrainState(params, mean, square, count, state.key)


def random_shift(image: Float[Array, "28 28 1"], key: PRNGKeyArray) -> Float[Array, "28 28 1"]:
    """Move one image by up to two pixels each way; what comes in from outside is 0."""
    padded = jnp.pad(image, ((2, 2), (2, 2), (0, 0)))
    row, column = random.randint(key, (2,), 0, 5)
    return lax.dynamic_slice(padded, (row, column, 0), image.shape)


def shifted_batch(
    images: Float[Array, "n 28 28 1"],
    batch: Int[Array, " batch"],
    key: PRNGKeyArray,
    count: Int[Array, ""],
) -> Float[Array, "batch 28 28 1"]:
    """Pick a batch, and move each image at random, at each ``count`` otherwise."""
    keys = random.split(random.fold_in(key, count), len(batch))
    return vmap(random_shift)(images[batch], keys)


@partial(jit, donate_argnames="state")
def cnn_step(
    state: TrainState,
    images: Float[Array, "n 28 28 1"],
    labels: Int[Array, " n"],
    batch: Int[Array, " batch"],
    num_steps: int,
    peak: float,
) -> tuple[TrainState, Float[Array, ""]]:
    """Take one step on one batch, whose images are shifted at random; also give the loss before it.

    Parameters
    ----------
    state
        Where training stands; its memory is used for the result.
    images, labels
        All examples, on the device.
    batch
        Indices of the examples to use.
    num_steps
        How many steps the whole training takes.
    peak
        The highest learning rate.
    """
    shifted = shifted_batch(images, batch, state.key, state.count)
    loss, gradients = value_and_grad(cnn_loss)(state.params, shifted, labels[batch])
    rate = one_cycle(state.count, num_steps, peak)
    return adam_update(state, gradients, rate), loss


def shuffled_batches(
    key: PRNGKeyArray, num_examples: int, batch_size: int
) -> Int[Array, "steps batch"]:
    """Deal shuffled indices into batches; the few that fill no batch are left out."""
    num_steps = num_examples // batch_size
    order = random.permutation(key, num_examples)
    return order[: num_steps * batch_size].reshape(num_steps, batch_size)
