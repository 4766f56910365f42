"""Datasets in TFRecord files: written whole or not at all, checked when read.

A dataset is a folder: shards, each a TFRecord file of ``tf.train.Example``
messages, and ``manifest.json``, which holds the features, the counts and the
SHA-256 sum of each shard.
"""

from mnistlib.tfrecord.framing import Record, read_records
from mnistlib.tfrecord.manifest import Manifest, Shard
from mnistlib.tfrecord.reading import read, verify
from mnistlib.tfrecord.schema import Feature
from mnistlib.tfrecord.writing import write

__all__ = [
    "Feature",
    "Manifest",
    "Record",
    "Shard",
    "read",
    "read_records",
    "verify",
    "write",
]
