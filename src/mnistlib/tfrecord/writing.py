"""Examples to TFRecord files, whole or not at all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnistlib.errors import MnistError
from mnistlib.files import atomic_folder, sha256_of
from mnistlib.tfrecord.framing import check_compression
from mnistlib.tfrecord.manifest import Manifest, Shard
from mnistlib.tfrecord.schema import Feature, feature_of

Row = Mapping[str, object]  # one example: a value for each name


def write(
    folder: str | os.PathLike,
    examples: Mapping[str, np.ndarray] | Iterable[Row],
    *,
    features: Mapping[str, Feature] | None = None,
    shard_size: int | None = None,
    compression: str = "",
    classes: Sequence[str] = (),
) -> Manifest:
    """Write a dataset into a new folder; return its :class:`Manifest`.

    The folder gets its name when all is written: a writer that fails or is killed
    leaves none. What a killed one leaves is hidden, and removed by one a day later.

    Parameters
    ----------
    examples
        Either a mapping of arrays, ``(n, ...)`` each, or an iterable that gives
        one mapping an example. An iterable is read once, and never held in memory.
    features
        What the examples hold and how to store it. If it isn't given, it is
        taken from the arrays or from the first example: single numbers as
        numbers, all else as raw bytes.
    shard_size
        Examples in a file; the last may hold fewer. One file if it isn't given.
    compression
        ``""`` or ``"GZIP"``.
    classes
        What the labels 0, 1, ... stand for.

    Raises
    ------
    mnistlib.MnistError
        If the folder is there, before or when all is written; if there are no
        examples; or if one of them can't be given back exactly as it is: the
        message names it and the feature.
    """
    check_compression(compression)
    if shard_size is not None and shard_size < 1:
        raise MnistError(f"shard_size={shard_size}: a shard holds at least one example")
    with atomic_folder(folder) as scratch:
        rows = iter(_rows(examples))
        first = next(rows, None)
        if not first:
            raise MnistError(f"{folder}: there are no examples to write")
        if features is None:
            features = {}
            for name, value in first.items():
                with _name_example(0, name):
                    features[name] = feature_of(value)
        serialized = _serialize(itertools.chain([first], rows), features)
        try:
            shards = tuple(_write_shards(scratch, serialized, shard_size, compression))
        except tf.errors.OpError as error:
            raise MnistError(f"{folder}: can't be written: {error.message}") from error
        manifest = Manifest(dict(features), shards, compression, tuple(classes))
        manifest.save(scratch)
    return manifest


def _rows(examples: Mapping[str, np.ndarray] | Iterable[Row]) -> Iterable[Row]:
    if not isinstance(examples, Mapping):
        return examples
    sizes = {name: len(array) for name, array in examples.items()}
    if len(set(sizes.values())) != 1:
        raise MnistError(f"arrays of different lengths: {sizes}")
    return (dict(zip(examples, row, strict=True)) for row in zip(*examples.values(), strict=True))


def _serialize(rows: Iterable[Row], features: Mapping[str, Feature]) -> Iterator[bytes]:
    for index, row in enumerate(rows):
        if row.keys() != features.keys():
            raise MnistError(f"example {index} has {sorted(row)}, not {sorted(features)}")
        message = {}
        for name, feature in features.items():
            with _name_example(index, name):
                message[name] = feature.encode(row[name])
        example = tf.train.Example(features=tf.train.Features(feature=message))
        # The order of a map's entries is free, but sums should be the same every time.
        yield example.SerializeToString(deterministic=True)


@contextmanager
def _name_example(index: int, name: str) -> Iterator[None]:
    try:
        yield
    except MnistError as error:
        raise MnistError(f"example {index}: {name!r} is {error}") from error


def _write_shards(
    folder: Path, serialized: Iterator[bytes], shard_size: int | None, compression: str
) -> Iterator[Shard]:
    """Write all shards; how many there are is known, and named, at the end."""
    counts = []
    for index, first in enumerate(serialized):
        counts.append(0)
        rest = itertools.islice(serialized, None if shard_size is None else shard_size - 1)
        with tf.io.TFRecordWriter(str(folder / f"{index}"), compression) as writer:
            for data in itertools.chain([first], rest):
                writer.write(data)
                counts[index] += 1
    suffix = ".tfrecord.gz" if compression else ".tfrecord"
    for index, count in enumerate(counts):
        name = f"{index:05}-of-{len(counts):05}{suffix}"
        path = (folder / f"{index}").rename(folder / name)
        yield Shard(name, count, path.stat().st_size, sha256_of(path))
