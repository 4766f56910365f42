"""Chapter 9 from five seeds: what each flaw costs, and how wide its limits have to be.

    python benchmarks/jax_seeds.py

It takes some seven minutes and writes ``benchmarks/jax_seeds.json``. A *step* multiplies the
gradient of the mean over examples. The source's mean goes over ten classes as well: its
learning rate of 0.01 is a step of 0.001.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import environment  # noqa: F401  before what reads it
import jax.numpy as jnp
from compare import write_record
from jax import Array, random

from mnistlib.data import Split, load
from mnistlib.jax_mlp import (
    LAYER_SIZES,
    Params,
    accuracy,
    init_params,
    to_device,
    train_epoch,
)

TARGET = Path(__file__).with_suffix(".json")
SEEDS = range(5)
STEPS = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FLAWED_STEPS = (0.001, 0.01, 0.03, 0.3)  # rate and mean: both as they are, one mended, both
GOOD_STEPS = (0.1, 0.3, 1.0)  # which are tried for ten epochs
NUM_FIT = 55_000  # the other 5,000 validate
NUM_EPOCHS = 10


def train(
    seed: int, split: tuple[Array, Array], step: float, order: str, epochs: int = 1
) -> Params:
    """Train in the order of the file, in one that is mixed once, or shuffled anew each epoch."""
    params = init_params(LAYER_SIZES, random.key(seed))
    indices = jnp.arange(len(split[0]))
    first, *others = (
        random.permutation(key, indices) for key in random.split(random.key(100 + seed), epochs)
    )
    once = indices if order == "as filed" else first
    for dealt in (first, *others) if order == "shuffled" else epochs * [once]:
        params = train_epoch(params, *split, dealt, step)
    return params


def measure(seed: int, train_split: Split, test_split: Split) -> Iterator[tuple[str, float, float]]:
    """Yield what was trained, the step, and the accuracy."""
    for pixels, largest, good in (("0-1", 1, 0.3), ("0-255", 255, 0.001)):
        (images, targets), (test_images, test_targets) = (
            to_device(*split) for split in (train_split, test_split)
        )
        images, test_images = largest * images, largest * test_images
        fit, validation = (
            (images[part], targets[part]) for part in (slice(NUM_FIT), slice(NUM_FIT, None))
        )
        for order, steps in (("shuffled", STEPS), ("as filed", FLAWED_STEPS)):
            for step in steps:
                params = train(seed, fit, step, order)
                yield f"{pixels}, {order}", step, float(accuracy(params, *validation))
        ways = [(good, order) for order in ("as filed", "mixed once", "shuffled")]
        for step, order in ways + [(0.01, "shuffled")] * (largest == 255):  # the mean alone
            params = train(seed, (images, targets), step, order, NUM_EPOCHS)
            value = float(accuracy(params, test_images, test_targets))
            yield f"{pixels}, {order}, ten epochs, test", step, value
        for step in GOOD_STEPS if largest == 1 else ():
            params = train(seed, fit, step, "shuffled", NUM_EPOCHS)
            value = float(accuracy(params, *validation))
            yield f"{pixels}, shuffled, ten epochs", step, value


def main() -> None:
    mnist = load()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in SEEDS:
        for name, step, value in measure(seed, mnist.train, mnist.test):
            found[name][str(step)].append(round(value, 4))
        print(seed, flush=True)
    write_record(TARGET, found)


if __name__ == "__main__":
    main()
