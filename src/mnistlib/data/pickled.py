"""Read and write ``mnist.pkl.gz``, the form in which MNIST was long passed around.

The file was made by Python 2 for the deep-learning tutorials of the University of
Montreal. Its host is gone, so mnistlib writes it anew from the official files. It is
a gzipped pickle of three pairs::

    ((x, y), (x, y), (x, y))    training, validation and test set

with 50,000, 10,000 and 10,000 images; ``x`` is float32 ``(n, 784)`` and holds
pixel/256, ``y`` is int64 ``(n,)`` and holds the digits.

Such a file may come from anywhere, and a pickle is a program: loading it runs it. So
:func:`read_pickle` calls nothing that a file names. A stand-in notes how it would have
been called, and arrays are made from the bytes in the file. (A file can still ask for more
memory than there is: for that, use a format that isn't a program.)
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
from typing import NamedTuple

import numpy as np

from mnistlib.data.mnist import Mnist
from mnistlib.errors import FileFormatError
from mnistlib.files import atomic_write, open_to_read

SIZES = (50_000, 10_000, 10_000)
NUM_PIXELS = 784
GZIP_LEVEL = 1  # a higher one takes minutes and saves little
ALLOWED = {
    "numpy.ndarray",
    "numpy.dtype",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",  # where NumPy 2 has it
}
# An array as NumPy pickled it under Python 2, from here to the values and b"tb" after them.
ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\n"
    b"cnumpy\nndarray\nJ\0\0\0\0\x85U\x01b\x87R"  # _reconstruct(ndarray, (0,), "b")
    b"(J\1\0\0\0(%bt"  # set its state: 1, shape,
    b"cnumpy\ndtype\nU\x02%bJ\0\0\0\0J\1\0\0\0\x87R"  # dtype("f4", 0, 1), whose state is
    b"(J\3\0\0\0U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffJ\0\0\0\0tb"  # 3, "<", ...
    b"\x89T%b"  # False (not in Fortran's order), the length of the values
)


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

    The last 10,000 of the 60,000 training images become the validation set.
    """
    pairs = []
    for images, labels in (*mnist.split_train(SIZES[1]), mnist.test):
        flat = images.reshape(len(images), NUM_PIXELS)
        pairs.append((flat / np.float32(256), labels.astype(np.int64)))
    return ClassicMnist(*pairs)


def write_pickle(path: str | os.PathLike, mnist: Mnist) -> None:
    """Write ``mnist.pkl.gz``, about 20 MB, as Python 2 wrote it.

    The file appears whole or not at all, and the same digits always give the
    same bytes. Python 3's ``pickle.load`` needs ``encoding="latin1"`` for it, as
    for the original.

    Parameters
    ----------
    path
        The file to write.
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
        for pair in classic(mnist):
            for array in pair:
                array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
                shape = b"".join(pickle.BININT + struct.pack("<i", n) for n in array.shape)
                dtype = array.dtype.str[1:].encode()
                packed.write(ARRAY % (shape, dtype, struct.pack("<i", array.nbytes)))
                packed.write(array.data)
                packed.write(pickle.TUPLE + pickle.BUILD)
            packed.write(pickle.TUPLE2)
        packed.write(pickle.TUPLE3 + pickle.STOP)


class Noted:
    """Stands for what a pickle names, and notes how it is called. It does nothing else."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        self.state = state


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that calls :class:`Noted` in place of any function."""

    def find_class(self, module: str, name: str) -> object:
        """Return what a pickle gets for a name.

        Raises
        ------
        pickle.UnpicklingError
            If no array of numbers needs the name.
        """
        if f"{module}.{name}" not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} isn't allowed")
        return Noted


def make_array(noted: Noted, code: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make an array of what was noted, if that is one of this type and shape.

    Parameters
    ----------
    noted
        What :class:`ArrayUnpickler` gives for an array.
    code, shape
        NumPy's code of the type, such as ``"f4"``, and the shape that the array has to have.

    Raises
    ------
    pickle.UnpicklingError
        If it is another array.
    """
    _, its_shape, dtype, is_fortran, data = noted.state
    found = (its_shape, dtype.arguments[0], dtype.state[1], is_fortran)
    if found != (shape, code, "<", False):
        raise pickle.UnpicklingError(f"no array of type {code} and shape {shape}")
    values = data if isinstance(data, bytes) else data.encode("latin1")
    return np.frombuffer(values, f"<{code}").reshape(shape).astype(code)


def read_pickle(path: str | os.PathLike) -> ClassicMnist:
    """Read ``mnist.pkl.gz`` without running what is in it.

    Parameters
    ----------
    path
        The file: the original, what :func:`write_pickle` wrote, or what
        ``pickle.dump`` and gzip make of the same arrays with protocol 3 or 4.

    Returns
    -------
    ClassicMnist
        New arrays, in native byte order.

    Raises
    ------
    mnistlib.FileFormatError
        If the file can't be read, is damaged, names anything that an array of numbers
        doesn't need, or holds other arrays.
    """
    try:
        num_bytes = sum(SIZES) * (NUM_PIXELS * 4 + 8)  # of the arrays; opcodes take about 1,000
        content = io.BytesIO(_unpack(path, 2 * num_bytes + 2**16))
        pairs = ArrayUnpickler(content, encoding="latin1").load()
        if content.read(1):
            raise pickle.UnpicklingError("something follows the pickle")
        return ClassicMnist(*(_make_pair(*each) for each in zip(pairs, SIZES, strict=True)))
    except Exception as error:  # a pickle may raise anything, says Python's manual
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise FileFormatError(f"{path}: not read as mnist.pkl.gz: {reason:.300}") from error


def _unpack(path: str | os.PathLike, limit: int) -> bytes:
    """Read a gzipped file to its end, where its sum is compared, or refuse it: it may be a bomb."""
    with open_to_read(path) as packed, gzip.open(packed) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise pickle.UnpicklingError(
            f"it unpacks to more than {limit:,} bytes, which no MNIST does"
        )
    return content


def _make_pair(pair: tuple[Noted, Noted], size: int) -> tuple[np.ndarray, np.ndarray]:
    images = make_array(pair[0], "f4", (size, NUM_PIXELS))
    labels = make_array(pair[1], "i8", (size,))
    # Not (images.min() < 0): that is false for NaN.
    if not (images.min() >= 0 and images.max() <= 1):
        raise pickle.UnpicklingError("it has images with values outside of 0 to 1")
    if not (labels.min() >= 0 and labels.max() <= 9):
        raise pickle.UnpicklingError("it has labels outside of 0 to 9")
    return images, labels
