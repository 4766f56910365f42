"""TFRecord files to a ``tf.data`` pipeline, and what is wrong with them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pooch
import tensorflow as tf

from mnistlib.errors import ChecksumError, MnistError
from mnistlib.tfrecord.framing import read_records
from mnistlib.tfrecord.manifest import Manifest, Shard
from mnistlib.tfrecord.schema import Feature, mismatch, parse_batch

# Parsing has a cost for each call: many examples share it, within this memory.
PARSE_EXAMPLES = 1024
PARSE_BYTES = 2**24


def read(
    folder: str | os.PathLike,
    batch_size: int,
    *,
    keys: Sequence[str] | None = None,
    features: Mapping[str, Feature] | None = None,
    shuffle: int = 0,
    seed: int | None = None,
    parallel_reads: int = 1,
    deterministic: bool = True,
    drop_remainder: bool = False,
    check_sums: bool = True,
) -> tf.data.Dataset:
    """Read a dataset that :func:`mnistlib.tfrecord.write` wrote.

    Parameters
    ----------
    folder
        The dataset's folder.
    batch_size
        Examples in a batch.
    keys
        Give tuples of these features, ``("image", "label")`` for ``fit``;
        dictionaries of all features if it isn't given.
    features
        What you expect the examples to hold; checked if it is given.
    shuffle
        Length of the shuffle buffer, in examples; the files are shuffled, too.
        0 keeps the order.
    seed
        Of the shuffling.
    parallel_reads
        How many shards to read at once, an example from each in turn. 1 keeps
        the order in which the examples were written.
    deterministic
        Whether the order of parallel reads has to be the same every time.
    drop_remainder
        Whether to drop a last batch that isn't full.
    check_sums
        Whether to read all files once and compare their sums before anything
        else. Without it, missing and truncated files are still found here, but
        an altered byte only when TensorFlow gets to it, in its own words.

    Returns
    -------
    tf.data.Dataset
        Batches ``(batch_size, *shape)`` of each feature. Its cardinality is
        known. Raises TensorFlow's ``DataLossError`` if a file is damaged later.

    Raises
    ------
    mnistlib.MnistError
        If a file is missing, truncated or altered, or holds other features; the
        message names file, record and offset.
    """
    manifest = Manifest.load(Path(folder))
    _check_features(folder, manifest, features, keys)
    for shard in manifest.shards:
        _check_shard(Path(folder, shard.name), shard, manifest, check_sums)

    files = tf.data.Dataset.from_tensor_slices([str(Path(folder, s.name)) for s in manifest.shards])
    if shuffle:
        files = files.shuffle(len(manifest.shards), seed=seed)
    # None, not 1: that would hand each record through an interleave of one file.
    num_parallel_reads = None if parallel_reads == 1 else parallel_reads
    records = tf.data.TFRecordDataset(
        files, manifest.compression, num_parallel_reads=num_parallel_reads
    )
    if shuffle:
        records = records.shuffle(shuffle, seed=seed)

    def parse(serialized: tf.Tensor) -> object:
        parsed = parse_batch(serialized, manifest.features)
        return parsed if keys is None else tuple(parsed[key] for key in keys)

    options = tf.data.Options()
    options.deterministic = deterministic
    num_batches = manifest.num_examples / batch_size
    return (
        records.batch(_parse_size(manifest))
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .rebatch(batch_size, drop_remainder=drop_remainder)
        .apply(
            tf.data.experimental.assert_cardinality(
                math.floor(num_batches) if drop_remainder else math.ceil(num_batches)
            )
        )
        .prefetch(tf.data.AUTOTUNE)
        .with_options(options)
    )


def verify(folder: str | os.PathLike) -> Manifest:
    """Check every byte of a dataset.

    Parameters
    ----------
    folder
        The dataset's folder.

    Returns
    -------
    Manifest
        What it holds.

    Raises
    ------
    mnistlib.MnistError
        As :func:`read`.
    """
    manifest = Manifest.load(Path(folder))
    for shard in manifest.shards:
        _check_shard(Path(folder, shard.name), shard, manifest, check_sum=True)
    return manifest


def _check_features(
    folder: str | os.PathLike,
    manifest: Manifest,
    expected: Mapping[str, Feature] | None,
    keys: Sequence[str] | None,
) -> None:
    for name, feature in (expected or manifest.features).items():
        if manifest.features.get(name) != feature:
            raise MnistError(
                f"{folder}: feature {name!r} is {manifest.features.get(name)}, not {feature}: "
                "read other data, or write this anew"
            )
    if unknown := set(keys or ()) - set(manifest.features):
        raise MnistError(
            f"{folder}: no features {sorted(unknown)}: choose from {sorted(manifest.features)}"
        )


def _check_shard(path: Path, shard: Shard, manifest: Manifest, check_sum: bool) -> None:
    if not path.is_file():
        raise MnistError(f"{path}: is missing: copy the whole folder, or write the data anew")
    altered = path.stat().st_size != shard.num_bytes
    if check_sum and not altered:
        altered = pooch.file_hash(path) != shard.sha256
    if not altered:
        record = next(read_records(path, manifest.compression))
        if problem := mismatch(record.data, manifest.features):
            raise MnistError(f"{path}: record 0, at byte 0: {problem}: write the data anew")
        return
    # Which record it is: this raises at the first that is damaged.
    found = sum(1 for _ in read_records(path, manifest.compression))
    raise ChecksumError(
        f"{path}: {found} whole records, {shard.num_examples} were written, but not with this "
        "content: it is another file; write the data anew"
    )


def _parse_size(manifest: Manifest) -> int:
    example_bytes = sum(
        math.prod(feature.shape) * np.dtype(feature.dtype).itemsize
        for feature in manifest.features.values()
    )
    return max(1, min(PARSE_EXAMPLES, PARSE_BYTES // max(1, example_bytes)))
