"""Examples to TFRecord files, whole or not at all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pooch
import tensorflow as tf

from mnistlib.errors import MnistError
from mnistlib.files import atomic_folder
from mnistlib.tfrecord.framing import OPENERS
from mnistlib.tfrecord.manifest import Manifest, Shard
from mnistlib.tfrecord.schema import Feature, feature_of


def write(
    folder: str | os.PathLike,
    examples: Mapping[str, np.ndarray] | Iterable[Mapping[str, object]],
    *,
    features: Mapping[str, Feature] | None = None,
    shard_size: int | None = None,
    compression: str = "",
    classes: Sequence[str] = (),
) -> Manifest:
    """Write a dataset into a new folder.

    The folder gets its name when all is written. If the writer fails or is
    killed, there is no such folder; a killed one leaves a hidden folder beside
    it, which may be deleted.

    Parameters
    ----------
    folder
        The folder to make.
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

    Returns
    -------
    Manifest
        What was written.

    Raises
    ------
    mnistlib.MnistError
        If the folder is there, if there are no examples, or if one of them
        doesn't fit the features; the message names its place.
    """
    folder = Path(folder)
    if folder.exists():
        raise MnistError(f"{folder}: is there already: remove it, or choose another name")
    if compression not in OPENERS:
        raise MnistError(f"compression={compression!r}: use '' or 'GZIP'")
    if shard_size is not None and shard_size < 1:
        raise MnistError(f"shard_size={shard_size}: a shard holds at least one example")
    rows = iter(_rows(examples))
    first = next(rows, None)
    if first is None:
        raise MnistError(f"{folder}: there are no examples to write")
    if features is None:
        arrays = {name: np.asarray(value) for name, value in first.items()}
        features = {name: feature_of(array.shape, array.dtype) for name, array in arrays.items()}
    serialized = _serialize(itertools.chain([first], rows), features)
    with atomic_folder(folder) as scratch:
        shards = tuple(_write_shards(scratch, serialized, shard_size, compression))
        manifest = Manifest(dict(features), shards, compression, tuple(classes))
        manifest.save(scratch)
    if Manifest.load(folder) != manifest:
        raise MnistError(f"{folder}: another process wrote other data there in the meantime")
    return manifest


def _rows(
    examples: Mapping[str, np.ndarray] | Iterable[Mapping[str, object]],
) -> Iterable[Mapping[str, object]]:
    if not isinstance(examples, Mapping):
        return examples
    sizes = {name: len(array) for name, array in examples.items()}
    if len(set(sizes.values())) != 1:
        raise MnistError(f"arrays of different lengths: {sizes}")
    return (dict(zip(examples, row, strict=True)) for row in zip(*examples.values(), strict=True))


def _serialize(
    rows: Iterable[Mapping[str, object]], features: Mapping[str, Feature]
) -> Iterator[bytes]:
    for index, row in enumerate(rows):
        if row.keys() != features.keys():
            raise MnistError(f"example {index} has {sorted(row)}, not {sorted(features)}")
        message = {}
        for name, feature in features.items():
            try:
                message[name] = feature.encode(row[name])
            except MnistError as error:
                raise MnistError(f"example {index}: {name!r} is {error}") from error
        example = tf.train.Example(features=tf.train.Features(feature=message))
        # The order of a map's entries is free, but sums should be the same every time.
        yield example.SerializeToString(deterministic=True)


def _write_shards(
    folder: Path, serialized: Iterator[bytes], shard_size: int | None, compression: str
) -> Iterator[Shard]:
    """Write all shards; how many there are is known, and named, at the end."""
    counts = []
    first = next(serialized, None)
    while first is not None:
        rest = itertools.islice(serialized, None if shard_size is None else shard_size - 1)
        path = folder / f"{len(counts)}"
        counts.append(0)
        with tf.io.TFRecordWriter(str(path), compression) as writer:
            for data in itertools.chain([first], rest):
                writer.write(data)
                counts[-1] += 1
        first = next(serialized, None)
    suffix = ".tfrecord.gz" if compression else ".tfrecord"
    for index, count in enumerate(counts):
        name = f"{index:05}-of-{len(counts):05}{suffix}"
        path = (folder / f"{index}").rename(folder / name)
        yield Shard(name, count, path.stat().st_size, pooch.file_hash(path))
