"""TFRecord files to a ``tf.data`` pipeline, and what is wrong with them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import tensorflow as tf

from mnistlib.errors import ChecksumError, FileFormatError, MnistError
from mnistlib.files import sha256_of
from mnistlib.tfrecord.framing import count_records, read_records
from mnistlib.tfrecord.manifest import Manifest, Shard
from mnistlib.tfrecord.schema import Feature, parse_batch

# Parsing has a cost for each call: many examples share it, within this memory.
PARSE_EXAMPLES = 1024
PARSE_BYTES = 2**24
# The second, when a message quotes bytes that are no text.
PARSE_ERRORS = (tf.errors.OpError, UnicodeDecodeError)


def read(
    folder: str | os.PathLike,
    batch_size: int,
    *,
    keys: Sequence[str] | None = None,
    features: Mapping[str, Feature] | None = None,
    shuffle: int = 0,
    seed: int | None = None,
    parallel_reads: int = 1,
) -> tf.data.Dataset:
    """Read a dataset that :func:`mnistlib.tfrecord.write` wrote.

    Before anything else it compares the size of each file with the manifest, and in
    uncompressed files the number of records: a file that is missing, cut off or asks
    for absurd amounts of memory is found here. An altered byte is found when
    TensorFlow gets to it; :func:`verify` finds it at once, and is for files from
    elsewhere.

    Parameters
    ----------
    batch_size
        The last batch may be smaller.
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

    Returns
    -------
    tf.data.Dataset
        Batches ``(batch_size, *shape)`` of each feature. Its cardinality is
        known. Raises TensorFlow's ``DataLossError`` when it gets to damage.

    Raises
    ------
    mnistlib.MnistError
        If a file is missing or cut off, if the features are others, or if an
        argument is out of its range; the message names file, record and offset.
    """
    if batch_size < 1 or parallel_reads < 1 or shuffle < 0:
        raise MnistError(
            f"batch_size={batch_size}, parallel_reads={parallel_reads}, shuffle={shuffle}: "
            "use 1 or more, 1 or more, 0 or more"
        )
    manifest = Manifest.load(Path(folder))
    for name, feature in (features or {}).items():
        if manifest.features.get(name) != feature:
            raise MnistError(
                f"{folder}: feature {name!r} is {manifest.features.get(name)}, not {feature}: "
                "read other data, or write this anew"
            )
    if unknown := set(keys or ()) - set(manifest.features):
        raise MnistError(
            f"{folder}: no features {sorted(unknown)}: choose from {sorted(manifest.features)}"
        )
    paths = [str(_check_frames(folder, shard, manifest)) for shard in manifest.shards]

    files = tf.data.Dataset.from_tensor_slices(paths)
    if shuffle:
        files = files.shuffle(len(paths), seed=seed)
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

    num_batches = math.ceil(manifest.num_examples / batch_size)
    return (
        records.batch(_parse_size(manifest))
        .map(parse, num_parallel_calls=tf.data.AUTOTUNE)
        .rebatch(batch_size)
        .apply(tf.data.experimental.assert_cardinality(num_batches))
        .prefetch(tf.data.AUTOTUNE)
    )


def verify(folder: str | os.PathLike) -> Manifest:
    """Check every byte of a dataset, and each example, against its :class:`Manifest`: return that.

    Raises
    ------
    mnistlib.MnistError
        If a file is missing, or not what the manifest says; the message names
        file, record and offset.
    """
    manifest = Manifest.load(Path(folder))
    for shard in manifest.shards:
        path = _check_frames(folder, shard, manifest)
        if sha256_of(path) != shard.sha256 or _count_parsed(path, manifest) != shard.num_examples:
            _explain_damage(path, shard, manifest)
    return manifest


def _check_frames(folder: str | os.PathLike, shard: Shard, manifest: Manifest) -> Path:
    """Return a shard's path, once TensorFlow can read it and not be ended by a length."""
    path = Path(folder, shard.name)
    if not path.is_file():
        raise MnistError(f"{path}: is missing: copy the whole folder, or write the data anew")
    # TensorFlow makes room for what a length asks for: one of 2**62 ends the process.
    # Not so in compressed files, whose lengths can't be had without unpacking them.
    if path.stat().st_size != shard.num_bytes or (
        not manifest.compression and count_records(path) != shard.num_examples
    ):
        _explain_damage(path, shard, manifest)
    return path


def _count_parsed(path: Path, manifest: Manifest) -> int | None:
    """Count the examples that TensorFlow reads and parses; None if it can't."""
    records = tf.data.TFRecordDataset(str(path), manifest.compression)
    num_parsed = 0
    try:
        for serialized in records.batch(_parse_size(manifest)):
            parse_batch(serialized, manifest.features)
            num_parsed += len(serialized)
    except PARSE_ERRORS:
        return None
    return num_parsed


def _explain_damage(path: Path, shard: Shard, manifest: Manifest) -> NoReturn:
    """Raise the error that says what is wrong with a shard, and with which of its records."""
    num_records = 0
    for record in read_records(path, manifest.compression):  # raises at a damaged frame
        try:
            parse_batch([record.data], manifest.features)
        except PARSE_ERRORS as error:
            raise FileFormatError(
                f"{path}: record {num_records}, at byte {record.offset}: no example of the "
                f"features {sorted(manifest.features)} in the manifest: write the data anew"
            ) from error
        num_records += 1
    raise ChecksumError(
        f"{path}: {num_records} whole records, {shard.num_examples} were written, but not with "
        "this content: it is another file; write the data anew"
    )


def _parse_size(manifest: Manifest) -> int:
    example_bytes = sum(
        math.prod(feature.shape) * np.dtype(feature.dtype).itemsize
        for feature in manifest.features.values()
    )
    return max(1, min(PARSE_EXAMPLES, PARSE_BYTES // example_bytes))
