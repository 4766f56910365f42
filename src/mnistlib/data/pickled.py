"""Read and write ``mnist.pkl.gz``, the form in which MNIST was long passed around.

The file was made by Python 2 for the deep-learning tutorials of the University of
Montreal. Its host is gone, so mnistlib writes it anew from the official files. It is
a gzipped pickle of three pairs::

    ((x, y), (x, y), (x, y))    training, validation and test set

with 50,000, 10,000 and 10,000 images; ``x`` is float32 ``(n, 784)`` and holds
pixel/256, ``y`` is int64 ``(n,)`` and holds the digits.

Such a file may come from anywhere, and loading a pickle runs what is in it. So
:func:`read_pickle` doesn't: see :mod:`mnistlib.data.unpickle`.
"""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import zlib
from typing import BinaryIO, NamedTuple

import numpy as np

from mnistlib.data.idx import GZIP_MAGIC, MAX_DEFLATE_RATIO
from mnistlib.data.mnist import Mnist, Split
from mnistlib.data.rebuild import Array, Refused
from mnistlib.data.unpickle import Machine
from mnistlib.errors import FileFormatError
from mnistlib.files import atomic_write

SIZES = (50_000, 10_000, 10_000)
NUM_PIXELS = 784
BYTES_FOR_NAMES = 4_096  # beside the values; six arrays take about 300
# A higher level takes minutes and saves little.
GZIP_LEVEL = 1


class ClassicMnist(NamedTuple):
    """What ``mnist.pkl.gz`` holds.

    Attributes
    ----------
    train, validation, test : tuple of numpy.ndarray
        Images, float32 ``(n, 784)``, from 0 to 255/256; and labels, int64
        ``(n,)``. ``n`` is 50,000, 10,000 and 10,000.
    """

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def classic(mnist: Mnist) -> ClassicMnist:
    """Bring the digits into the form of ``mnist.pkl.gz``.

    Parameters
    ----------
    mnist
        60,000 + 10,000 digits.

    Returns
    -------
    ClassicMnist
        The last 10,000 training images are the validation set.
    """
    train, validation = mnist.split_train(SIZES[1])
    return ClassicMnist(*map(_classic_split, (train, validation, mnist.test)))


def write_pickle(path: str | os.PathLike, mnist: Mnist) -> None:
    """Write ``mnist.pkl.gz`` as Python 2 wrote it.

    The file appears whole or not at all, and the same digits always give the
    same bytes. Python 3's ``pickle.load`` needs ``encoding="latin1"`` for it, as
    for the original.

    Parameters
    ----------
    path
        The file to write, about 17 MB.
    mnist
        60,000 + 10,000 digits, as :func:`mnistlib.data.load` gives them.

    Raises
    ------
    mnistlib.MnistError
        If the file can't be written.
    """
    with (
        atomic_write(path) as file,
        gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed,
    ):
        packed.write(pickle.PROTO + b"\x02")
        for images, labels in classic(mnist):
            for array in (images, labels):
                _write_array(packed, array)
            packed.write(pickle.TUPLE2)
        packed.write(pickle.TUPLE3 + pickle.STOP)


def read_pickle(path: str | os.PathLike) -> ClassicMnist:
    """Read ``mnist.pkl.gz``, whoever wrote it, without running what is in it.

    Parameters
    ----------
    path
        The file, gzipped or not, of any pickle protocol from 0 to 5, written by
        Python 2 or 3.

    Returns
    -------
    ClassicMnist
        New arrays, in native byte order.

    Raises
    ------
    mnistlib.FileFormatError
        If the file can't be read, is damaged or truncated, holds anything other
        than arrays of numbers, or isn't in the layout of ``mnist.pkl.gz``. Nothing
        in it was run, and no more memory was used than a good file takes: 0.5 GB,
        or 1.8 GB for protocol 0, which writes bytes as text.
    """
    try:
        with open(path, "rb") as file:
            is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            size = os.fstat(file.fileno()).st_size * (MAX_DEFLATE_RATIO if is_gzip else 1)
            with gzip.GzipFile(fileobj=file) if is_gzip else file as stream:
                return _read(stream, size)
    except (Refused, EOFError, ValueError) as error:
        reason = str(error)
    except (OSError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise FileFormatError(f"{path}: not read as mnist.pkl.gz: {reason}")


def _classic_split(split: Split) -> tuple[np.ndarray, np.ndarray]:
    flat = split.images.reshape(len(split.images), NUM_PIXELS)
    return flat / np.float32(256), split.labels.astype(np.int64)


def _write_array(file: BinaryIO, array: np.ndarray) -> None:
    """Write the instructions that NumPy under Python 2 gave for an array."""
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    no, none = pickle.NEWFALSE, pickle.NONE
    file.write(
        _name("numpy.core.multiarray", "_reconstruct")
        + (_name("numpy", "ndarray") + _integer(0) + pickle.TUPLE1 + _short_string("b"))
        + (pickle.TUPLE3 + pickle.REDUCE)
        + (pickle.MARK + _integer(1) + pickle.MARK + b"".join(map(_integer, array.shape)))
        + pickle.TUPLE
        + (_name("numpy", "dtype") + _short_string(array.dtype.str[1:]))
        + (_integer(0) + _integer(1) + pickle.TUPLE3 + pickle.REDUCE)
        + (pickle.MARK + _integer(3) + _short_string("<") + 3 * none)
        + (_integer(-1) + _integer(-1) + _integer(0) + pickle.TUPLE + pickle.BUILD)
        + (no + pickle.BINSTRING + struct.pack("<i", array.nbytes))
    )
    file.write(array.data)
    file.write(pickle.TUPLE + pickle.BUILD)


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _short_string(text: str) -> bytes:
    return pickle.SHORT_BINSTRING + bytes([len(text)]) + text.encode()


def _integer(number: int) -> bytes:
    return pickle.BININT + struct.pack("<i", number)


def _read(stream: BinaryIO, max_size: int) -> ClassicMnist:
    room = sum(SIZES) * (NUM_PIXELS * 4 + 8) + BYTES_FOR_NAMES
    pickled = Machine(stream, min(room, max_size)).run()
    # Reading to the end makes gzip check its sum.
    if stream.read(1):
        raise Refused("it has bytes left over after the pickle")
    match pickled:
        case (
            (Array() as x_train, Array() as y_train),
            (Array() as x_validation, Array() as y_validation),
            (Array() as x_test, Array() as y_test),
        ):
            del pickled
        case _:
            raise Refused("it doesn't hold three pairs of arrays")
    pairs = [(x_train, y_train), (x_validation, y_validation), (x_test, y_test)]
    checked = [_checked(*pair, size) for pair, size in zip(pairs, SIZES, strict=True)]
    return ClassicMnist(*checked)


def _checked(x: Array, y: Array, size: int) -> tuple[np.ndarray, np.ndarray]:
    images = _checked_array(x, (size, NUM_PIXELS), np.dtype(np.float32))
    labels = _checked_array(y, (size,), np.dtype(np.int64))
    # Not (images.min() < 0): that is false for NaN.
    if not (images.min() >= 0 and images.max() <= 1):
        raise Refused("it has images with values outside of 0 to 1")
    if not (labels.min() >= 0 and labels.max() <= 9):
        raise Refused("it has labels outside of 0 to 9")
    return images, labels


def _checked_array(array: Array, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    values = array.values
    if values is None:
        raise Refused("it has an array that never gets its values")
    if (values.shape, values.dtype.newbyteorder("=")) != (shape, dtype):
        raise Refused(
            f"it has an array of shape {values.shape} and type {values.dtype} where "
            f"{shape} and {dtype} belong"
        )
    return np.array(values, dtype, order="C")
