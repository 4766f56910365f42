"""What each process of a training has to know and to read, in NumPy alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnistlib.errors import MnistError
from mnistlib.tfrecord.manifest import Manifest
from mnistlib.tfrecord.plain import read_shard

LAYER_SIZES = (784, 512, 512, 10)  # the network of the chapters on JAX


class Settings(NamedTuple):
    """What all processes have to agree on.

    Attributes
    ----------
    batch_size : int
        Examples of a step, over all processes.
    learning_rate : float
        Step size, without unit.
    seed : int
        Of the first weights and of the order of the examples.
    """

    batch_size: int = 128
    learning_rate: float = 0.3
    seed: int = 0


def draw_params(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw weights ``(outputs, inputs)`` and biases, the same in every process and framework."""
    rng = np.random.default_rng(seed)
    return [
        (0.05 * rng.standard_normal((n, m), np.float32), np.zeros(n, np.float32))
        for m, n in itertools.pairwise(LAYER_SIZES)
    ]


class Part:
    """The shards that one process reads, and no others.

    Parameters
    ----------
    folder
        TFRecords with features ``"image"`` and ``"label"``.
    batch_size
        Examples of a step, over all processes.
    process, num_processes
        Which of how many this is.

    Raises
    ------
    mnistlib.MnistError
        If shards can't be dealt evenly to processes, or a batch to shards; or if a shard isn't
        what was written.
    """

    def __init__(self, folder: Path, batch_size: int, process: int, num_processes: int) -> None:
        manifest = Manifest.load(Path(folder))
        shards = manifest.shards
        if missing := {"image", "label"} - manifest.features.keys():
            raise MnistError(f"{folder}: has no features {sorted(missing)}: read other data")
        if len(shards) % num_processes:
            raise MnistError(
                f"{folder}: {len(shards)} shards can't be dealt evenly to {num_processes} "
                "processes: start fewer, or write the data in more shards"
            )
        self.per_shard, rest = divmod(batch_size, len(shards))
        self.epoch_steps = min(each.num_examples for each in shards) // max(self.per_shard, 1)
        if rest or not self.per_shard or not self.epoch_steps:
            raise MnistError(
                f"{folder}: batch_size={batch_size} can't be taken evenly from {len(shards)} "
                f"shards: use a multiple of {len(shards)}, and no more than they hold"
            )
        num_own = len(shards) // num_processes
        self.first = process * num_own
        self.own = shards[self.first : self.first + num_own]
        self.read = [read_shard(folder, each, manifest) for each in self.own]

    def batches(self, seed: int, first_step: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Deal this process's share of each step, every epoch in a new order, without end.

        A step takes as many examples from each shard. So it is the same set of examples, whoever
        reads the shards; and any step can be had without the steps before it.

        Yields
        ------
        tuple of numpy.ndarray
            float32 ``(n, 784)`` from 0 to 1, and integers ``(n,)``.
        """
        for number in itertools.count(first_step):
            epoch, place = divmod(number, self.epoch_steps)
            chosen = slice(place * self.per_shard, (place + 1) * self.per_shard)
            images, labels = [], []
            for index, shard in enumerate(self.read, start=self.first):
                order = np.random.default_rng((seed, epoch, index)).permutation(len(shard["label"]))
                images.append(shard["image"][order[chosen]])
                labels.append(shard["label"][order[chosen]])
            flat = np.concatenate(images).reshape(-1, 784)
            yield flat / np.float32(255), np.concatenate(labels)
