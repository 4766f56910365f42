"""Read and write IDX, the format of the four official files.

An IDX file is a big-endian header and then the values in row-major order::

    offset  size          meaning
    0       2             zero
    2       1             type code of the values, 0x08 is uint8
    3       1             number of dimensions
    4       4 a dimension length of each dimension, uint32
    ...     the rest      the values

The format is described on the MNIST page of Y. LeCun, C. Cortes and
C. J. C. Burges, http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import BinaryIO

import numpy as np

from mnistlib.errors import FileFormatError
from mnistlib.files import atomic_write, open_to_read

DTYPES = {
    0x08: np.dtype("uint8"),
    0x09: np.dtype("int8"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
GZIP_MAGIC = b"\x1f\x8b"
# Deflate can't pack more than this many bytes into one, so a header that
# promises more is lying, and nothing needs to be unpacked to know it.
MAX_DEFLATE_RATIO = 1032


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read an IDX file, gzipped or not, into a new array.

    The header is checked against the file before the values are allocated.

    Parameters
    ----------
    path
        The file. Whether it is gzipped is told from its first bytes, not from
        its name.

    Returns
    -------
    numpy.ndarray
        The values, in the file's shape and in native byte order; uint8 and
        ``(n, 28, 28)`` for MNIST's images, uint8 and ``(n,)`` for its labels.

    Raises
    ------
    mnistlib.FileFormatError
        If the file can't be read, is no IDX file, is truncated or damaged, or
        has bytes left over.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([5, 0, 4], dtype=np.uint8))
    ...     read_idx(f"{folder}/labels.gz")
    array([5, 0, 4], dtype=uint8)
    """
    try:
        with open_to_read(path) as file:
            size = os.fstat(file.fileno()).st_size
            is_gzip = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if is_gzip:
                return _read(gzip.GzipFile(fileobj=file), size * MAX_DEFLATE_RATIO)
            return _read(file, size)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise FileFormatError(f"{path}: its gzip stream is damaged: {error}") from error
    except OSError as error:
        raise FileFormatError(f"{path}: can't be read: {error.strerror}") from error
    except MemoryError as error:
        raise FileFormatError(f"{path}: its values don't fit into memory") from error
    except ValueError as error:
        raise FileFormatError(f"{path}: not a valid IDX file: {error}") from error


def write_idx(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write an array as an IDX file; gzipped if the name ends in ``.gz``.

    The file appears whole or not at all, and the same array always gives the
    same bytes.

    Parameters
    ----------
    path
        The file to write.
    array
        uint8, int8, int16, int32, float32 or float64, of 1 to 64 dimensions.

    Raises
    ------
    mnistlib.FileFormatError
        If IDX can't hold the array's type or shape.
    mnistlib.MnistError
        If the file can't be written.
    """
    array = np.asarray(array)
    codes = {dtype.newbyteorder("="): code for code, dtype in DTYPES.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(dtype.name for dtype in codes)
        raise FileFormatError(f"{path}: IDX can't hold {array.dtype}; use one of {known}")
    if not array.ndim or any(length >= 2**32 for length in array.shape):
        raise FileFormatError(f"{path}: IDX can't hold an array of shape {array.shape}")
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    content = header + array.astype(DTYPES[code]).tobytes()
    if str(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    with atomic_write(path) as file:
        file.write(content)


def _read(file: BinaryIO, max_size: int) -> np.ndarray:
    dtype, shape = _read_header(file)
    num_bytes = math.prod(shape) * dtype.itemsize
    promise = f"the {num_bytes:,} bytes of values that its header promises (shape {shape})"
    if num_bytes > max_size:
        raise ValueError(f"it is too short to hold {promise}: is it truncated?")
    values = np.empty(num_bytes, np.uint8)
    num_read = file.readinto(memoryview(values))
    if num_read < num_bytes:
        raise ValueError(f"it ends after {num_read:,} of {promise}: is it truncated?")
    # Asking for one byte more makes gzip check the stream's own CRC-32.
    if file.read(1):
        raise ValueError(f"it has bytes left over after {promise}")
    native = dtype.newbyteorder("=")
    return values.view(dtype).astype(native, copy=False).reshape(shape)


def _read_header(file: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    magic = _read_bytes(file, 4)
    if magic[:2] != b"\0\0":
        raise ValueError(f"it starts with {magic.hex()}, expected 0000")
    code, ndim = magic[2], magic[3]
    if code not in DTYPES:
        known = ", ".join(f"{known:#04x}" for known in DTYPES)
        raise ValueError(f"its type code is {code:#04x}, expected one of {known}")
    if ndim == 0:
        raise ValueError("its header says it has no dimensions")
    return DTYPES[code], struct.unpack(f">{ndim}I", _read_bytes(file, 4 * ndim))


def _read_bytes(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise ValueError("it ends inside its header")
    return content
