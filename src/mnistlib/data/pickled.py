"""Read and write ``mnist.pkl.gz``, the form in which MNIST was long passed around.

The file was made by Python 2 for the deep-learning tutorials of the University of
Montreal. Its host is gone, so mnistlib writes it anew from the official files. It is
a gzipped pickle of three pairs::

    ((x, y), (x, y), (x, y))    training, validation and test set

with 50,000, 10,000 and 10,000 images; ``x`` is float32 ``(n, 784)`` and holds
pixel/256, ``y`` is int64 ``(n,)`` and holds the digits.

Such a file may come from anywhere, and a pickle is a program: loading it runs it.
So :func:`read_pickle` takes three steps, none of which believes the file:

1. It unpacks no more bytes than a good file has.
2. It goes through the opcodes without executing one. They must be few and all of
   ``OPCODES``, none of which takes much more memory than its bytes in the file.
3. It executes them, but whatever they name is a stand-in, which notes how it is called
   and does nothing. Arrays are made last, if a good file's calls were noted.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import struct
import zlib
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import NamedTuple

import numpy as np

from mnistlib.data.idx import GZIP_MAGIC
from mnistlib.data.mnist import Mnist
from mnistlib.errors import FileFormatError
from mnistlib.files import atomic_write

SIZES = (50_000, 10_000, 10_000)
NUM_PIXELS = 784
GZIP_LEVEL = 1  # a higher one takes minutes and saves little
BYTES_BESIDE = 2**16  # beside the values: opcodes take about 1,000, gzip's blocks 20,000
MAX_OPCODES = 1_000  # six arrays take about 300
MAX_TEXT = 255  # characters of a name or a type, digits of a number
OPCODES = {
    # Numbers and constants: a few bytes each.
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG1"),
    # Bytes, as many as stand in the file; Python 2's are called strings.
    *("SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BYTEARRAY8"),
    # Text. It can take four times its bytes, so it has a limit of its own.
    *("SHORT_BINUNICODE", "BINUNICODE"),
    # Tuples of what came before, and a memo of it with 256 places (LONG_BINPUT makes 2**32).
    *("MARK", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "BINPUT", "BINGET", "MEMOIZE"),
    # Names, and calls of what stands for them.
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD"),
    # The program's beginning, its pieces and its end.
    *("PROTO", "FRAME", "STOP"),
}
NAMES = {
    *("numpy.dtype", "numpy.ndarray"),
    *("numpy.core.multiarray._reconstruct", "numpy.core.numeric._frombuffer"),
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


def read_pickle(path: str | os.PathLike) -> ClassicMnist:
    """Read ``mnist.pkl.gz`` without running what is in it.

    Parameters
    ----------
    path
        The file, gzipped or not: the original, what :func:`write_pickle` wrote, or
        what ``pickle.dump`` makes of the same arrays with protocol 3, 4 or 5. Lower
        ones are read as Python 2 wrote them, 1 and 2; the others hold bytes as text.

    Returns
    -------
    ClassicMnist
        New arrays, in native byte order.

    Raises
    ------
    mnistlib.FileFormatError
        If the file can't be read, is damaged or holds anything other than these
        arrays. Nothing in it was run, and no more memory was used than a good file
        takes, 0.7 GB.
    """
    try:
        content = _unpack(path, sum(SIZES) * (NUM_PIXELS * 4 + 8) + BYTES_BESIDE)
        _check_opcodes(content)
        pickled = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        del content
        match pickled:
            case ((_, _), (_, _), (_, _)):
                return ClassicMnist(*map(_make_pair, pickled, SIZES))
        raise UnpicklingError("it doesn't hold three pairs of arrays")
    except Exception as error:  # a pickle may raise anything, says Python's manual
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise FileFormatError(f"{path}: not read as mnist.pkl.gz: {reason:.300}") from error


def _unpack(path: str | os.PathLike, limit: int) -> bytes:
    if os.path.getsize(path) == 0:  # a pipe's is 0, too: reading it would wait for ever
        raise UnpicklingError("it is empty")
    with open(path, "rb") as file:
        content = file.read(limit + 1)
    if content.startswith(GZIP_MAGIC):
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        content = unpacker.decompress(content, limit + 1)
        if len(content) <= limit and (unpacker.unused_data or not unpacker.eof):
            raise UnpicklingError("its gzip stream is truncated, or something follows it")
    if len(content) > limit:
        raise UnpicklingError(
            f"it holds more than the {limit:,} bytes that the arrays take "
            "(or holds them as text: pickle them with protocol 3, 4 or 5)"
        )
    return content


class _Outline(io.BytesIO):
    """A pickle in which zeros stand for what is long, so that looking at it costs little."""

    def read(self, size: int = -1) -> bytes:
        if size <= MAX_TEXT:
            return super().read(size)
        skipped = min(size, len(self.getvalue()) - self.tell())
        self.seek(skipped, io.SEEK_CUR)
        return bytes(skipped)

    def readline(self, size: int = -1) -> bytes:
        return super().readline(MAX_TEXT)


def _check_opcodes(content: bytes) -> None:
    """Refuse a pickle with an opcode that might do harm. None is executed."""
    outline = _Outline(content)
    frame_end = 0
    for count, (opcode, argument, start) in enumerate(pickletools.genops(outline), start=1):
        end = outline.tell()
        if opcode.name not in OPCODES:
            raise UnpicklingError(f"it has the opcode {opcode.name}, which no good one has")
        if count > MAX_OPCODES:
            raise UnpicklingError(f"it has more than {MAX_OPCODES:,} opcodes")
        if opcode.name == "BINUNICODE" and len(argument) > MAX_TEXT:
            raise UnpicklingError(f"it has a text of {len(argument):,} bytes")
        # Where frames overlap or cut an opcode, Python's unpickler executes other opcodes
        # than genops shows: https://github.com/python/cpython/issues/154848.
        if start < frame_end and (end > frame_end or opcode.name == "FRAME"):
            raise UnpicklingError("its frames don't hold whole opcodes")
        if opcode.name == "FRAME":
            frame_end = end + argument
    if end < len(content):
        raise UnpicklingError("it has bytes left over after the pickle")


@dataclass
class _StandIn:
    """Stands for what a pickle names, and notes how it is called. It does nothing else."""

    name: str
    arguments: tuple | None = None
    state: object = None

    def __call__(self, *arguments: object) -> _StandIn:
        return _StandIn(self.name, arguments)

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) == (__name__, "ClassicMnist"):
            return ClassicMnist
        full_name = f"{module:.99}.{name:.99}"
        # NumPy 2 moved numpy.core to numpy._core.
        if full_name.replace("._core.", ".core.") not in NAMES:
            raise UnpicklingError(f"it asks for {full_name!r}, which no array of numbers needs")
        return _StandIn(name)


def _make_pair(pair: tuple[object, object], size: int) -> tuple[np.ndarray, np.ndarray]:
    images = _make_array(pair[0], "f4", (size, NUM_PIXELS))
    labels = _make_array(pair[1], "i8", (size,))
    # Not (images.min() < 0): that is false for NaN.
    if not (images.min() >= 0 and images.max() <= 1):
        raise UnpicklingError("it has images with values outside of 0 to 1")
    if not (labels.min() >= 0 and labels.max() <= 9):
        raise UnpicklingError("it has labels outside of 0 to 9")
    return images, labels


def _make_array(noted: object, code: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make an array, if a stand-in notes that one of this type and shape is to be made."""
    dtype = _StandIn("dtype", (code, False, True), (3, "<", None, None, None, -1, -1, 0))
    match noted:
        case _StandIn("_reconstruct", (_, (0,), _), (1, *described, 0, data)):
            pass
        case _StandIn("_frombuffer", (data, its_dtype, its_shape, "C")):
            described = [its_shape, its_dtype]
        case _:
            described = None
    if described != [shape, dtype]:
        raise UnpicklingError(f"it has no array of type {code} and shape {shape} where one belongs")
    values = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(values, f"<{code}").reshape(shape).astype(code)
