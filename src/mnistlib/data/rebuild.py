"""What a pickle of arrays of numbers may name, call and set; nothing is called.

NumPy's arrays are pickled as calls of NumPy's functions. Here is what these calls
would give, for the arguments that picklers write, and for no others.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum

import numpy as np

MAX_NAME = 64  # bytes of a name, or of a number as text
MAX_DIMENSIONS = 64  # of a NumPy array
NUMBER_TYPE = re.compile(rb"[iu][1248]|f[248]")


class Refused(Exception):
    """Why a pickle isn't read, before its file's name is put in front."""


@dataclass
class Array:
    """An array, from where it is announced to where it gets its values."""

    values: np.ndarray | None = None


@dataclass
class _Type:
    dtype: np.dtype


class _Known(Enum):
    """What a pickle of arrays may name. These are never called."""

    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    RECONSTRUCT = "_reconstruct"
    FROM_BUFFER = "_frombuffer"
    ENCODE = "_codecs.encode"


# NumPy 2 has moved what NumPy 1 named.
KNOWN = {
    (b"numpy", b"ndarray"): _Known.NDARRAY,
    (b"numpy", b"dtype"): _Known.DTYPE,
    (b"numpy.core.multiarray", b"_reconstruct"): _Known.RECONSTRUCT,
    (b"numpy._core.multiarray", b"_reconstruct"): _Known.RECONSTRUCT,
    (b"numpy.core.numeric", b"_frombuffer"): _Known.FROM_BUFFER,
    (b"numpy._core.numeric", b"_frombuffer"): _Known.FROM_BUFFER,
    (b"_codecs", b"encode"): _Known.ENCODE,
}


def look_up(module: object, name: object) -> _Known:
    """Find what a pickle names, without importing it."""
    if not (isinstance(module, bytes) and isinstance(name, bytes)):
        raise Refused("it names something by what is no name")
    if (module, name) not in KNOWN:
        full_name = b".".join((module[:MAX_NAME], name[:MAX_NAME])).decode("ascii", "replace")
        raise Refused(f"it asks for {full_name!r}, which no array of numbers needs")
    return KNOWN[module, name]


def call(function: object, arguments: object) -> object:
    """Do what NumPy's function would do, if the arguments are those of a pickler."""
    match function, arguments:
        case _Known.RECONSTRUCT, (_Known.NDARRAY, (0,), b"b"):
            return Array()
        case _Known.DTYPE, (bytes() as code, 0, 1) if NUMBER_TYPE.fullmatch(code):
            return _Type(np.dtype(code.decode()))
        case _Known.DTYPE, (bytes() as code, *_):
            code = code[:MAX_NAME].decode("ascii", "replace")
            raise Refused(f"it has an array of type {code!r}, which isn't a type of numbers")
        case _Known.FROM_BUFFER, (
            bytes() as data,
            _Type(dtype),
            tuple() as shape,
            b"C" | b"F" as order,
        ):
            return Array(_view(data, dtype, shape, order == b"F"))
        case _Known.ENCODE, (bytes() as text, b"latin1"):
            return text
    raise Refused("it makes a call that no array of numbers needs")


def set_state(target: object, state: object) -> None:
    """Give a type its byte order, or an array its values."""
    match target, state:
        case _Type(dtype), (3, b"<" | b">" | b"|" as order, None, None, None, -1, -1, 0):
            target.dtype = dtype.newbyteorder(order.decode())
        case Array(None), (1, tuple() as shape, _Type(dtype), 0 | 1 as fortran, bytes() as data):
            target.values = _view(data, dtype, shape, bool(fortran))
        case _:
            raise Refused("it sets a state that no array of numbers has")


def _view(data: bytes, dtype: np.dtype, shape: tuple[object, ...], fortran: bool) -> np.ndarray:
    if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n > 0 for n in shape):
        raise Refused("it has an array whose shape isn't one")
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes != len(data):
        raise Refused(
            f"it has an array of shape {shape} and type {dtype}, which takes {num_bytes:,} "
            f"bytes, but {len(data):,} bytes of values"
        )
    return np.ndarray(shape, dtype, buffer=data, order="F" if fortran else "C")
