"""What a feature of an example is, and how it lies in ``tf.train.Example``.

TensorFlow is imported by what computes with it, so that others can know a dataset's features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnistlib.errors import MnistError

if TYPE_CHECKING:
    import tensorflow as tf

# The types that TensorFlow turns back into what was written: "numbers" are int64 or
# float32 in the file, and tf.io.decode_raw knows no unsigned integers of 32 and 64 bits.
_BOTH = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "float16", "float32")
DTYPES = {"numbers": (*_BOTH, "uint32"), "raw": (*_BOTH, "float64")}
# The field of tf.train.Feature for each of TensorFlow's types in the file.
FIELDS = {"string": "bytes_list", "float32": "float_list", "int64": "int64_list"}


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
        bytes, little-endian.

    Raises
    ------
    mnistlib.MnistError
        If the encoding can't hold such an array.
    """

    shape: tuple[int, ...]
    dtype: str
    encoding: str = "numbers"

    def __post_init__(self) -> None:
        is_shape = isinstance(self.shape, tuple) and all(
            isinstance(size, int) and size > 0 for size in self.shape
        )
        if not is_shape or self.dtype not in DTYPES.get(self.encoding, ()):
            raise MnistError(
                f"no feature of shape {self.shape} and type {self.dtype} as {self.encoding!r}: "
                f"use a tuple of sizes, one of {', '.join(DTYPES)}, and a type that it can hold"
            )

    @property
    def stored_dtype(self) -> str:
        """TensorFlow's name of the type in the file."""
        if self.encoding == "raw":
            return "string"
        return "float32" if self.dtype.startswith("float") else "int64"

    def encode(self, value: object) -> tf.train.Feature:
        """Turn an array of this shape, whose values this type holds exactly, into a message."""
        import tensorflow as tf

        array = as_array(value)
        if array.shape != self.shape:
            raise MnistError(f"of shape {array.shape}, where {self.shape} is due")
        array = _convert(array, self.dtype)
        if self.encoding == "raw":
            values = [array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()]
        else:
            # Not bool, which protobuf takes for no number.
            values = array.ravel().astype(self.stored_dtype).tolist()
        return tf.train.Feature(**{FIELDS[self.stored_dtype]: {"value": values}})

    def spec(self) -> tf.io.FixedLenFeature:
        """Return what ``tf.io.parse_example`` has to know."""
        import tensorflow as tf

        shape = () if self.encoding == "raw" else self.shape
        return tf.io.FixedLenFeature(shape, tf.as_dtype(self.stored_dtype))

    def decode(self, parsed: tf.Tensor) -> tf.Tensor:
        """Turn a batch, as ``tf.io.parse_example`` gives it, into ``(batch, *shape)``."""
        import tensorflow as tf

        if self.encoding == "numbers":
            return tf.cast(parsed, self.dtype)
        flat = tf.io.decode_raw(parsed, self.dtype)
        # Two halves would reshape into a whole.
        flat = tf.ensure_shape(flat, [None, math.prod(self.shape)])
        return tf.reshape(flat, [-1, *self.shape])


def feature_of(value: object) -> Feature:
    """Choose a feature for an array: numbers for a number, raw bytes for more."""
    array = as_array(value)
    return Feature(array.shape, array.dtype.name, "raw" if array.shape else "numbers")


def as_array(value: object) -> np.ndarray:
    """Return a value as an array; MnistError if it is ragged."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise MnistError("no array: its parts differ in length") from error


def parse_batch(serialized: tf.Tensor, features: Mapping[str, Feature]) -> dict[str, tf.Tensor]:
    """Turn strings ``(batch,)``, each an example, into ``(batch, *shape)`` for each feature."""
    import tensorflow as tf

    spec = {name: feature.spec() for name, feature in features.items()}
    parsed = tf.io.parse_example(serialized, spec)
    return {name: feature.decode(parsed[name]) for name, feature in features.items()}


def _convert(array: np.ndarray, dtype: str) -> np.ndarray:
    """Change an array's type; MnistError if one of its values would change, too."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        if array.dtype.kind == "f" and dtype.startswith("float"):
            converted = array.astype(dtype)
            if np.array_equal(converted, array, equal_nan=True):
                return converted
        elif array.dtype.kind in "biu":
            converted = array.astype(dtype)
            # As Python's numbers: NumPy would round an int64 to compare it with a float.
            if converted.tolist() == array.tolist():
                return converted
    raise MnistError(
        f"{array.dtype}, and {dtype} can't hold its values exactly: convert it, or use another type"
    )
