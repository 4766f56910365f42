"""The JAX documentation's training loop against ours: the same network, in turn.

    python benchmarks/jax_mlp.py [--quick]

Measures an epoch in steady state; the time to the test accuracy that the source
printed after its ten epochs, compiling included; and the rate of our epoch's
arithmetic against the rate at which this machine multiplies large matrices.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import jax.numpy as jnp
import tensorflow as tf
import tensorflow_datasets as tfds
from compare import Comparison, in_turn
from jax import grad, jit, random

from mnistlib import MnistError
from mnistlib.data import load, prepare_tfds
from mnistlib.jax_mlp import (
    LAYER_SIZES,
    Params,
    accuracy,
    descend,
    init_params,
    one_hot,
    predict_batch,
    to_device,
    train_epoch,
)
from mnistlib.results import current_device

PRINTED_ACCURACY = 0.9269  # by the source, on the test set, after ten epochs
SOURCE_RATE = 0.01
RATE = 0.3  # chosen on the validation split, in the chapter on JAX from scratch
MAX_EPOCHS = 10


def source_loss(params: Params, images: jax.Array, targets: jax.Array) -> jax.Array:
    return -jnp.mean(predict_batch(params, images) * targets)


@jit
def source_update(params: Params, images: jax.Array, targets: jax.Array) -> Params:
    return descend(params, grad(source_loss)(params, images, targets), SOURCE_RATE)


def source_epoch(params: Params, digits) -> Params:
    """Decode, hand over and step batch by batch, as the source does."""
    batches = tfds.load(digits.name, data_dir=digits.data_dir, split="train", as_supervised=True)
    for images, labels in tfds.as_numpy(batches.batch(128).prefetch(1)):
        images = jnp.reshape(images, (len(images), 784))
        params = source_update(params, images, one_hot(labels))
    return params


def our_epoch(params: Params, train: tuple[jax.Array, jax.Array], key: jax.Array) -> Params:
    order = random.permutation(key, len(train[0]))
    return train_epoch(params, *train, order, RATE)


def steady(epoch: Callable[[Params], Params]) -> Callable[[], float]:
    """Make a function that times an epoch of a program that is compiled and warm."""
    state = [epoch(init_params(LAYER_SIZES, random.key(0)))]

    def timed() -> float:
        jax.block_until_ready(state[0])
        start = time.perf_counter()
        state[0] = jax.block_until_ready(epoch(state[0]))
        return time.perf_counter() - start

    return timed


def to_accuracy(
    epoch: Callable[[Params], Params], test: tuple[jax.Array, jax.Array]
) -> Callable[[], float]:
    """Make a function that times training, compiled anew, up to the printed accuracy."""

    def timed() -> float:
        jax.clear_caches()
        start = time.perf_counter()
        params = init_params(LAYER_SIZES, random.key(0))
        for _ in range(MAX_EPOCHS):
            params = epoch(params)
            if accuracy(params, *test) >= PRINTED_ACCURACY:
                return time.perf_counter() - start
        raise RuntimeError(f"{PRINTED_ACCURACY} wasn't reached in {MAX_EPOCHS} epochs")

    return timed


def operations_per_image(sizes: tuple[int, ...]) -> int:
    """Count additions and multiplications of a step, for one image.

    Each layer multiplies once forwards, once for the gradient of its weights and
    once for that of its inputs, which the first layer doesn't need.
    """
    products = [2 * inputs * outputs for inputs, outputs in pairwise(sizes)]
    return 3 * sum(products) - products[0]


def machine_rate() -> float:
    """Measure 10⁹ operations a second in products of large square matrices."""
    size, calls = 2_048, 20
    multiply = jit(jnp.matmul)
    square = jnp.ones((size, size))
    multiply(square, square).block_until_ready()
    start = time.perf_counter()
    jax.block_until_ready([multiply(square, square) for _ in range(calls)])
    return 2 * size**3 * calls / (time.perf_counter() - start) / 1e9


def keys() -> Iterator[jax.Array]:
    key = random.key(1)
    while True:
        key, one = random.split(key)
        yield one


def comparisons(quick: bool) -> list[Comparison]:
    """Run all three.

    Parameters
    ----------
    quick
        One repeat in place of three.
    """
    repeats = 1 if quick else 3
    tf.config.set_visible_devices([], "GPU")
    digits, mnist, key = prepare_tfds(), load(), keys()
    train, test = to_device(*mnist.train), to_device(*mnist.test)
    raw_test = jnp.asarray(mnist.test.images.reshape(-1, 784)), test[1]

    def source(params: Params) -> Params:
        return source_epoch(params, digits)

    def ours(params: Params) -> Params:
        return our_epoch(params, train, next(key))

    target = in_turn(to_accuracy(source, raw_test), to_accuracy(ours, test), repeats)
    epoch = in_turn(steady(source), steady(ours), repeats)
    images = len(train[0]) * operations_per_image(LAYER_SIZES) / 1e9
    warm = steady(ours)
    rates = in_turn(machine_rate, lambda: images / warm(), 2 + repeats)
    device = current_device("jax")
    return [
        Comparison("MLP, an epoch", "s", *epoch, aim=3, note=device),
        Comparison(f"MLP, to {PRINTED_ACCURACY} on the test set", "s", *target, aim=5, note=device),
        Comparison(
            "MLP, epoch against matrix products",
            "GFLOP/s",
            *rates,
            aim=0.7,
            higher_is_better=True,
            note=f"{device}; the first is this machine's own rate, not the source's",
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one repeat, under a minute")
    options = parser.parse_args()
    try:
        results = comparisons(options.quick)
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'':40} {'source':>12} {'ours':>12} {'':9} {'ratio':>8}   {current_device('jax')}")
    for result in results:
        print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
