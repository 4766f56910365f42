"""Read and write ``mnist.pkl.gz``, the form in which MNIST was long passed around.

The file was made by Python 2 for the deep-learning tutorials of the University of
Montreal. Its host is gone, so mnistlib writes it anew from the official files. It is
a gzipped pickle of three pairs::

    ((x, y), (x, y), (x, y))    training, validation and test set

with 50,000, 10,000 and 10,000 images; ``x`` is float32 ``(n, 784)`` and holds
pixel/256, ``y`` is int64 ``(n,)`` and holds the digits.

Such a file may come from anywhere, and a pickle is a program: loading it runs it. So
:func:`read_pickle` lets a file name what makes an array of numbers, and nothing else.
That keeps it from running other code. It doesn't keep it from asking for more memory than
there is: for that, use a format that isn't a program.
"""

from __future__ import annotations

import gzip
import os
import pickle
import struct
from typing import NamedTuple

import numpy as np

from mnistlib.data.mnist import Mnist
from mnistlib.errors import FileFormatError
from mnistlib.files import atomic_write

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


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that refuses every name that isn't in ``ALLOWED``."""

    def find_class(self, module: str, name: str) -> object:
        """Return what a pickle names.

        Raises
        ------
        pickle.UnpicklingError
            If no array of numbers needs it.
        """
        if f"{module}.{name}" not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} isn't allowed")
        return super().find_class(module, name)


def read_pickle(path: str | os.PathLike) -> ClassicMnist:
    """Read ``mnist.pkl.gz``, and run nothing else that is in it.

    Parameters
    ----------
    path
        The file: the original, what :func:`write_pickle` wrote, or what
        ``pickle.dump`` and gzip make of the same arrays with protocol 3 or 4.

    Returns
    -------
    ClassicMnist
        The arrays.

    Raises
    ------
    mnistlib.FileFormatError
        If the file can't be read, is damaged, names anything that an array of numbers
        doesn't need, or holds other arrays.
    """
    try:
        with gzip.open(path) as file:
            pairs = ArrayUnpickler(file, encoding="latin1").load()
            if file.read(1):  # at the end, gzip compares its sum
                raise pickle.UnpicklingError("something follows the pickle")
        _check(pairs)
    except Exception as error:  # a pickle may raise anything, says Python's manual
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise FileFormatError(f"{path}: not read as mnist.pkl.gz: {reason:.300}") from error
    return ClassicMnist(*pairs)


def _check(pairs: object) -> None:
    """Refuse what isn't three pairs of MNIST's arrays."""
    for (images, labels), size in zip(pairs, SIZES, strict=True):
        kinds = (images.dtype, images.shape), (labels.dtype, labels.shape)
        if kinds != (("<f4", (size, NUM_PIXELS)), ("<i8", (size,))):
            raise pickle.UnpicklingError(f"it has arrays of {kinds} where others belong")
        # Not (images.min() < 0): that is false for NaN.
        if not (images.min() >= 0 and images.max() <= 1):
            raise pickle.UnpicklingError("it has images with values outside of 0 to 1")
        if not (labels.min() >= 0 and labels.max() <= 9):
            raise pickle.UnpicklingError("it has labels outside of 0 to 9")
