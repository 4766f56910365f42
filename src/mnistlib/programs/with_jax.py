"""JAX: functions of parameters, an epoch compiled into one program. No TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import optax

from mnistlib.data import Split
from mnistlib.jax_cnn import shuffled_batches
from mnistlib.programs import BATCH_SIZE, LAYER_SIZES, LEARNING_RATE, Classifier, flatten_and_scale

Params = list[tuple[jax.Array, jax.Array]]
Initializer = jax.nn.initializers.Initializer
optimizer = optax.adam(LEARNING_RATE)
cross_entropy = optax.softmax_cross_entropy_with_integer_labels
lecun_normal = jax.nn.initializers.lecun_normal()


def init_params(key: jax.Array, draw: Initializer = lecun_normal) -> Params:
    """Draw weights ``(inputs, outputs)`` for each layer; the biases start at 0.

    Parameters
    ----------
    key
        A key of ``jax.random``.
    draw
        Takes a key and a shape. Flax's default: a variance of one divided by the
        number of inputs.
    """
    keys = jax.random.split(key, len(LAYER_SIZES) - 1)
    return [
        (draw(layer_key, shape), jnp.zeros(shape[1]))
        for layer_key, shape in zip(keys, pairwise(LAYER_SIZES), strict=True)
    ]


def predict(params: Params, images: jax.Array) -> jax.Array:
    """Return logits, float32 ``(batch, 10)``, of images ``(batch, 784)``."""
    for weights, biases in params[:-1]:
        images = jax.nn.relu(images @ weights + biases)
    weights, biases = params[-1]
    return images @ weights + biases


def mean_loss(
    params: Params,
    images: jax.Array,
    labels: jax.Array,
) -> jax.Array:
    """Return the mean cross entropy in nats, of shape ``()``."""
    logits = predict(params, images)
    return cross_entropy(logits, labels).mean()


@partial(jax.jit, donate_argnames=("params", "state"))
def train_epoch(
    params: Params,
    state: optax.OptState,
    images: jax.Array,
    labels: jax.Array,
    order: jax.Array,
) -> tuple[Params, optax.OptState]:
    """Learn from every batch once.

    Parameters
    ----------
    params, state
        The network's and the optimizer's. Their memory is used for the results.
    images, labels
        float32 ``(n, 784)`` and integers ``(n,)``.
    order
        ``(num_steps, batch_size)``; which examples make up each batch.
    """

    def step(carry, batch):
        params, state = carry
        gradients = jax.grad(mean_loss)(params, images[batch], labels[batch])
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(params, updates), state), None

    (params, state), _ = jax.lax.scan(step, (params, state), order)
    return params, state


def train(
    split: Split,
    seed: int,
    draw: Initializer = lecun_normal,
) -> Iterator[Classifier]:
    """Train with one call an epoch, the digits on the device, as :mod:`mnistlib.programs` says.

    The examples that fill no batch are left out of an epoch, others each time. The first
    weights are those of :func:`init_params`.
    """
    key, init_key = jax.random.split(jax.random.key(seed))
    params = init_params(init_key, draw)
    state = optimizer.init(params)
    images = jnp.asarray(flatten_and_scale(split.images))
    labels = jnp.asarray(split.labels, jnp.int32)
    while True:
        key, order_key = jax.random.split(key)
        order = shuffled_batches(order_key, len(labels), BATCH_SIZE)
        params, state = train_epoch(params, state, images, labels, order)
        # The next epoch takes the memory of these.
        yield partial(predict, jax.block_until_ready(params))
