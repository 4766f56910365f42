"""What a feature of an example is, and how it lies in ``tf.train.Example``."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from mnistlib.errors import MnistError

ENCODINGS = ("numbers", "raw", "png")
PNG_CHANNELS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Feature:
    """One named array of an example: what it is, and how it is stored.

    Attributes
    ----------
    shape : tuple of int
        Of the array, without the batch; ``()`` for a number.
    dtype : str
        NumPy's name of its type; it is read as what was written.
    encoding : str
        ``"numbers"``: a list of int64 or of float32. ``"raw"``: the array's
        bytes, little-endian. ``"png"``: a PNG file, for uint8 images
        ``(height, width)`` or ``(height, width, channels)``.

    Raises
    ------
    mnistlib.MnistError
        If the encoding can't hold such an array.
    """

    shape: tuple[int, ...]
    dtype: str
    encoding: str = "numbers"

    def __post_init__(self) -> None:
        kind, size = np.dtype(self.dtype).kind, np.dtype(self.dtype).itemsize
        fits = {
            # Not uint64 and float64: int64 and float32 can't hold all of them.
            "numbers": (kind in "iub" and self.dtype != "uint64") or (kind == "f" and size <= 4),
            "raw": kind in "iuf",
            "png": self.dtype == "uint8"
            and (len(self.shape) == 2 or (len(self.shape) == 3 and self.shape[2] in PNG_CHANNELS)),
        }
        if not fits.get(self.encoding, False):
            raise MnistError(
                f"no feature of shape {self.shape} and type {self.dtype} as {self.encoding!r}: "
                f"use one of {', '.join(ENCODINGS)}, and a type that it can hold"
            )

    @property
    def kind(self) -> str:
        """The field of ``tf.train.Feature`` that holds it."""
        if self.encoding != "numbers":
            return "bytes_list"
        return "float_list" if np.dtype(self.dtype).kind == "f" else "int64_list"

    def encode(self, value: object) -> tf.train.Feature:
        """Turn an array, or the bytes of a PNG file, into a message."""
        if self.encoding == "png" and isinstance(value, bytes):
            if png_shape(value)[:2] != self.shape[:2]:
                raise MnistError(f"a PNG of shape {png_shape(value)}, where {self.shape} is due")
            return _bytes_feature(value)
        array = np.asarray(value)
        if array.shape != self.shape or not _fits(array, np.dtype(self.dtype)):
            raise MnistError(
                f"{array.dtype} of shape {array.shape}, where {self.dtype} of shape "
                f"{self.shape} is due"
            )
        array = array.astype(self.dtype, copy=False)
        if self.encoding == "raw":
            return _bytes_feature(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
        if self.encoding == "png":
            image = array if array.ndim == 3 else array[..., None]
            return _bytes_feature(tf.io.encode_png(image).numpy())
        values = array.ravel().tolist()
        if self.kind == "float_list":
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def spec(self) -> tf.io.FixedLenFeature:
        """Return what ``tf.io.parse_example`` has to know."""
        if self.kind == "bytes_list":
            return tf.io.FixedLenFeature([], tf.string)
        dtype = tf.float32 if self.kind == "float_list" else tf.int64
        return tf.io.FixedLenFeature(self.shape, dtype)

    def decode(self, parsed: tf.Tensor) -> tf.Tensor:
        """Turn a batch, as ``tf.io.parse_example`` gives it, into ``(batch, *shape)``."""
        if self.encoding == "raw":
            flat = tf.io.decode_raw(parsed, self.dtype)
            # Two halves would reshape into a whole.
            flat = tf.ensure_shape(flat, [None, math.prod(self.shape)])
            return tf.reshape(flat, [-1, *self.shape])
        if self.encoding == "png":
            channels = self.shape[2] if len(self.shape) == 3 else 1
            images = tf.map_fn(
                lambda png: tf.ensure_shape(
                    tf.io.decode_png(png, channels=channels), [*self.shape[:2], channels]
                ),
                parsed,
                fn_output_signature=tf.uint8,
            )
            return tf.reshape(images, [-1, *self.shape])
        return tf.cast(parsed, self.dtype)


def feature_of(shape: tuple[int, ...], dtype: np.dtype) -> Feature:
    """Choose a feature for arrays: numbers for a number, raw bytes for more."""
    return Feature(tuple(shape), np.dtype(dtype).name, "raw" if shape else "numbers")


def parse_batch(serialized: tf.Tensor, features: Mapping[str, Feature]) -> dict[str, tf.Tensor]:
    """Parse a whole batch at once.

    Parameters
    ----------
    serialized
        Strings ``(batch,)``, each a ``tf.train.Example``.
    features
        What the examples hold.

    Returns
    -------
    dict of str to tf.Tensor
        ``(batch, *shape)`` for each feature.
    """
    spec = {name: feature.spec() for name, feature in features.items()}
    parsed = tf.io.parse_example(serialized, spec)
    return {name: feature.decode(parsed[name]) for name, feature in features.items()}


def mismatch(serialized: bytes, features: Mapping[str, Feature]) -> str:
    """Say how a record differs from the features; nothing if it doesn't."""
    try:
        example = tf.train.Example.FromString(serialized)
    except Exception:  # protobuf's error class depends on its version
        return "it is no tf.train.Example"
    found = example.features.feature
    for name, feature in features.items():
        if name not in found:
            return f"it has no feature {name!r}"
        kind = found[name].WhichOneof("kind")
        if kind != feature.kind:
            return f"its feature {name!r} is a {kind}, not a {feature.kind}"
        values = getattr(found[name], kind).value
        due = 1 if kind == "bytes_list" else math.prod(feature.shape)
        if len(values) != due:
            return f"its feature {name!r} has {len(values)} values, not {due}"
        size = math.prod(feature.shape) * np.dtype(feature.dtype).itemsize
        if feature.encoding == "raw" and len(values[0]) != size:
            return f"its feature {name!r} has {len(values[0])} bytes, not {size}"
    return ""


def png_shape(data: bytes) -> tuple[int, int, int]:
    """Read height, width and channels from the head of a PNG file.

    Raises
    ------
    mnistlib.MnistError
        If it isn't one.
    """
    if len(data) < 26 or data[:8] != b"\x89PNG\r\n\x1a\n":
        raise MnistError("not a PNG file")
    width, height, _, color_type = struct.unpack(">IIBB", data[16:26])
    # Grey, RGB, palette, grey with alpha, RGB with alpha.
    return height, width, {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(color_type, 3)


def _fits(array: np.ndarray, dtype: np.dtype) -> bool:
    """Tell whether a type can hold an array: integers by their values, all else by their type."""
    if array.dtype != dtype and array.dtype.kind in "iu" and dtype.kind in "iu":
        return np.array_equal(array, array.astype(dtype))
    return np.can_cast(array.dtype, dtype, "same_kind")


def _bytes_feature(data: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
