"""Datasets in TFRecord files: written whole or not at all, checked when read.

A dataset is a folder: shards, each a TFRecord file of ``tf.train.Example``
messages, and ``manifest.json``, which holds the features, the counts and the
SHA-256 sum of each shard.

TensorFlow is imported when one of the functions that compute with it is first asked for.
"""

from importlib import import_module

from mnistlib.tfrecord.framing import Record, read_records
from mnistlib.tfrecord.manifest import Manifest, Shard
from mnistlib.tfrecord.schema import Feature

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

_WITH_TENSORFLOW = {"read": "reading", "verify": "reading", "write": "writing"}


def __getattr__(name: str) -> object:
    if name not in _WITH_TENSORFLOW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_TENSORFLOW[name]}"), name)
