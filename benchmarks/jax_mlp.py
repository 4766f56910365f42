"""The JAX documentation's training loop against ours: the same network, in turn.

Measures an epoch in steady state; the time to the test accuracy that the source
printed after its ten epochs; and the rate of our epoch's arithmetic against the rate at
which this machine multiplies large matrices. In the race both programs read the digits,
compile and look at the test set within the clock, and both look after every eighth of an
epoch, so that neither waits for the end of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count, pairwise, repeat

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from compare import Comparison, Reproduction, in_turn, rate, seconds, timed, to_accuracy
from jax import grad, jit, random

from mnistlib.data import PreparedDataset, Split, load, prepare_tfds
from mnistlib.jax_mlp import (
    LAYER_SIZES,
    Params,
    accuracy,
    descend,
    init_params,
    one_hot,
    predict_batch,
    random_layer_params,
    to_device,
    train_epoch,
)

PRINTED_ACCURACY = 0.9269  # by the source, on the test set, after ten epochs
SOURCE_RATE = 0.01
RATE = 0.3  # chosen on the validation split, in the chapter on JAX from scratch
RACE_BATCH_SIZE = 32  # chosen on it as well, in the chapter on JAX at full speed
MAX_EPOCHS = 10
NUM_STEPS = 469  # in an epoch of the source
STALE_LABEL = "JAX, the source's program with a tenth of its rate"

Arrays = tuple[jax.Array, jax.Array]


def source_loss(params: Params, images: jax.Array, targets: jax.Array) -> jax.Array:
    return -jnp.mean(predict_batch(params, images) * targets)


@jit
def source_update(params: Params, images: jax.Array, targets: jax.Array) -> Params:
    return descend(params, grad(source_loss)(params, images, targets), SOURCE_RATE)


def source_data(digits: PreparedDataset) -> tf.data.Dataset:
    return tfds.load(digits.name, data_dir=digits.data_dir, split="train", as_supervised=True)


def source_training(
    datasets: Iterable[tf.data.Dataset], steps_to_look: int = NUM_STEPS
) -> Iterator[Params]:
    """Decode, hand over and step batch by batch; yield the parameters for each look.

    Each epoch takes the next dataset. The source loads one anew for each, so that nothing
    of what TFDS caches lasts.
    """
    params = init_params(LAYER_SIZES, random.key(0))
    for dataset in datasets:
        batches = tfds.as_numpy(dataset.batch(128).prefetch(1))
        for step, (images, labels) in enumerate(batches, 1):
            images = jnp.reshape(images, (len(images), 784))
            params = source_update(params, images, one_hot(labels))
            if step % steps_to_look == 0:
                yield params


def numpy_init_params() -> Params:
    """Draw as :func:`init_params` does, but with NumPy, which has nothing to compile."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(0.01 * rng.standard_normal(shape, np.float32))

    return [(draw(n, m), draw(n)) for m, n in pairwise(LAYER_SIZES)]


def our_epochs(train: Arrays) -> Iterator[Params]:
    """Yield the parameters after each epoch, one call to the device."""
    params = numpy_init_params()
    for epoch in count():
        order = random.permutation(random.key(epoch), len(train[0]))
        params = train_epoch(params, *train, order, RATE)
        yield params


def our_race() -> Iterator[Params]:
    """Read the digits, and yield the parameters after each eighth of an epoch.

    Random numbers come from NumPy: there is nothing to compile for them.
    """
    train = to_device(*load().train)
    params = numpy_init_params()
    rng = np.random.default_rng(1)
    part = len(train[0]) // 8 // RACE_BATCH_SIZE * RACE_BATCH_SIZE
    while True:
        order = rng.permutation(len(train[0]))
        for eighth in order[: 8 * part].reshape(8, part):
            params = train_epoch(params, *train, eighth, RATE, batch_size=RACE_BATCH_SIZE)
            yield params


def steady(epochs: Iterator[Params]) -> Callable[[], float]:
    """Make a function that times an epoch of a program that is compiled and warm."""
    jax.block_until_ready(next(epochs))
    return seconds(lambda: jax.block_until_ready(next(epochs)))


def looks(training: Iterator[Params], test: Arrays) -> Iterator[float]:
    """Yield the test accuracy of what is trained so far."""
    return (float(accuracy(params, *test)) for params in training)


def operations_per_image(sizes: tuple[int, ...]) -> int:
    """Count additions and multiplications of a step, for one image.

    Each layer multiplies once forwards, once for the gradient of its weights and
    once for that of its inputs, which the first layer doesn't need.
    """
    products = [2 * inputs * outputs for inputs, outputs in pairwise(sizes)]
    return 3 * sum(products) - products[0]


def machine_rate() -> Callable[[], float]:
    """Make a function that measures 10⁹ operations a second, in products of large matrices."""
    size, calls = 2_048, 20
    multiply = jit(jnp.matmul)
    square = jnp.ones((size, size))
    multiply(square, square).block_until_ready()
    return rate(
        2 * size**3 * calls / 1e9,
        lambda: jax.block_until_ready([multiply(square, square) for _ in range(calls)]),
    )


def raw(split: Split) -> Arrays:
    """Give images as the source takes them: pixels from 0 to 255."""
    return jnp.asarray(split.images.reshape(-1, 784)), one_hot(jnp.asarray(split.labels))


def comparisons(quick: bool) -> list[Comparison]:
    """Run all three."""
    repeats = 1 if quick else 5
    tf.config.set_visible_devices([], "GPU")
    digits, mnist = prepare_tfds(), load()
    train, test, raw_test = to_device(*mnist.train), to_device(*mnist.test), raw(mnist.test)

    def anew() -> Iterator[tf.data.Dataset]:
        return (source_data(digits) for _ in count())

    ways = [
        to_accuracy(PRINTED_ACCURACY, training, jax.clear_caches, 8 * MAX_EPOCHS)
        for training in (
            lambda: looks(source_training(anew(), NUM_STEPS // 8), raw_test),
            lambda: looks(our_race(), test),
        )
    ]
    raced = in_turn(*ways, repeats)
    ours = steady(our_epochs(train))
    epoch = in_turn(steady(source_training(anew())), ours, repeats)
    loaded_once = steady(source_training(repeat(source_data(digits))))
    once, _ = in_turn(loaded_once, ours, repeats)
    operations = len(train[0]) * operations_per_image(LAYER_SIZES) / 1e9
    rates = in_turn(machine_rate(), lambda: operations / ours(), repeats)
    return [
        Comparison(
            "JAX MLP, an epoch",
            "s",
            *epoch,
            aim=3,
            note=f"the source's loop takes {once:.2f} s if it loads the data only once",
        ),
        Comparison(f"JAX MLP, to {PRINTED_ACCURACY} on the test set", "s", *raced, aim=10),
        Comparison(
            "JAX MLP, an epoch's arithmetic",
            "GFLOP/s",
            *rates,
            aim=0.85,
            higher_is_better=True,
            baseline="this machine's products of large matrices",
            note="the chapter times the epoch's own, smaller products alone",
        ),
    ]


def params_of_2020() -> Params:
    """Draw as the source did when its outputs were made: JAX's old numbers, a key too many."""
    with jax.threefry_partitionable(False):
        keys = random.split(random.key(0), len(LAYER_SIZES))
        sizes = zip(pairwise(LAYER_SIZES), keys[:-1], strict=True)
        return [random_layer_params(m, n, key) for (m, n), key in sizes]


def reproductions() -> list[Reproduction]:
    """Run the source's ten epochs, in its own loop; and those that its outputs are of."""
    digits, test = prepare_tfds(), raw(load().test)
    epochs = source_training(source_data(digits) for _ in range(MAX_EPOCHS))
    [*_, params], took = timed(lambda: jax.block_until_ready(list(epochs)))
    today = float(accuracy(params, *test))

    whole = tfds.load(digits.name, data_dir=digits.data_dir, split="train", batch_size=-1)
    train = raw(Split(*map(tfds.as_numpy, (whole["image"], whole["label"]))))
    params, order = params_of_2020(), jnp.arange(len(train[0]))

    def with_a_tenth_of_the_rate() -> Params:
        trained = params
        for _ in range(MAX_EPOCHS):
            trained = train_epoch(trained, *train, order, SOURCE_RATE / 10, source_loss)
        return jax.block_until_ready(trained)

    stale, stale_took = timed(with_a_tenth_of_the_rate)
    names = "JAX, two hidden layers, 10 epochs", "the same, with a tenth of the rate"
    return [
        Reproduction("S4", names[0], str(PRINTED_ACCURACY), today, took, "JAX, mended"),
        Reproduction(
            "S4",
            names[1],
            str(PRINTED_ACCURACY),
            float(accuracy(stale, *test)),
            stale_took,
            STALE_LABEL,
        ),
    ]
