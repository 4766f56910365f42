"""One shard of TFRecords to arrays, without TensorFlow, whose import takes longer than the reading.

For a process that reads some shards of a dataset and trains in another framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mnistlib.errors import ChecksumError, MnistError
from mnistlib.files import sha256_of
from mnistlib.tfrecord.framing import HEADER_BYTES
from mnistlib.tfrecord.manifest import Manifest, Shard
from mnistlib.tfrecord.schema import Feature


def read_shard(folder: Path, shard: Shard, manifest: Manifest) -> dict[str, np.ndarray]:
    """Read all examples of one uncompressed shard: an array ``(n, *shape)`` for each feature.

    The file's SHA-256 sum is compared with the manifest's, so no record needs a check of
    its own.

    Raises
    ------
    mnistlib.MnistError
        If the file is missing, compressed, or another than was written.
    """
    path = Path(folder, shard.name)
    if manifest.compression:
        raise MnistError(f"{path}: is compressed: write the data with compression=''")
    try:
        if sha256_of(path) != shard.sha256:
            raise ChecksumError(f"{path}: isn't the file that was written: write the data anew")
        data = path.read_bytes()
    except OSError as error:
        raise MnistError(f"{path}: can't be read: {error.strerror}") from error
    examples = [_parse(record, manifest.features) for record in _records(data)]
    return {name: np.stack([each[name] for each in examples]) for name in manifest.features}


def _records(data: bytes) -> Iterator[bytes]:
    offset = 0
    while offset < len(data):
        start = offset + HEADER_BYTES
        end = start + int.from_bytes(data[offset : offset + 8], "little")
        yield data[start:end]
        offset = end + 4  # the data's checksum


def _parse(record: bytes, features: dict[str, Feature]) -> dict[str, np.ndarray]:
    """Take a ``tf.train.Example`` apart: a map from names to lists of bytes or numbers."""
    [[_, entries]] = _fields(record)
    found = {}
    for _, entry in _fields(entries):
        [_, name], [_, value] = _fields(entry)
        feature = features[name.decode()]
        [[_, values]] = _fields(value)
        [[_, content]] = _fields(values)
        dtype = np.dtype(feature.dtype)
        if feature.encoding == "raw":
            array = np.frombuffer(content, dtype.newbyteorder("<"))
        elif dtype.kind == "f":
            array = np.frombuffer(content, "<f4")
        else:
            array = np.array(list(_varints(content)), np.uint64).view(np.int64)
        found[name.decode()] = array.astype(dtype).reshape(feature.shape)
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the number and the bytes of each field of a protobuf message that has no others."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        length, at = _varint(message, at)
        yield tag >> 3, message[at : at + length]
        at += length


def _varints(packed: bytes) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number, seven bits to a byte, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
