"""The frame around a record: its length, a checksum, its data, a checksum.

The chapter on TFRecords builds ``frame`` step by step; a test keeps the two the
same. TensorFlow does this faster, but doesn't say in which file a record is
damaged; :func:`read_records` does, and needs no TensorFlow.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from itertools import count
from typing import BinaryIO, NamedTuple

from mnistlib.errors import FileFormatError, MnistError
from mnistlib.files import open_to_read

HEADER_BYTES = 12
FRAME_BYTES = 16
PIECE_BYTES = 2**20
# Each compression with the most bytes that one of its bytes can unpack to.
MAX_RATIO = {"": 1, "GZIP": 1032}


class Record(NamedTuple):
    """One record of a file.

    Attributes
    ----------
    offset : int
        Where its frame begins, in bytes of the unpacked file.
    data : bytes
        What the frame holds.
    """

    offset: int
    data: bytes


def crc32c_table() -> list[int]:
    """Return what each of the 256 bytes leaves when it is divided by Castagnoli's polynomial."""
    table = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
        table.append(remainder)
    return table


CRC32C_TABLE = crc32c_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C sum of some bytes, 32 bits.

    References
    ----------
    RFC 3720, appendix B.4.

    Examples
    --------
    >>> f"{crc32c(b'123456789'):08x}"
    'e3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """Return the sum as a TFRecord holds it: rotated by 15 bits, and a constant added."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """Put a frame around some bytes: all that a TFRecord file adds.

    Parameters
    ----------
    data
        One record.

    Returns
    -------
    bytes
        The length (8 bytes), its masked CRC-32C (4), the data, and theirs (4);
        all numbers little-endian.

    References
    ----------
    https://www.tensorflow.org/tutorials/load_data/tfrecord

    Examples
    --------
    >>> len(frame(b"some data"))
    25
    """
    length = struct.pack("<Q", len(data))
    length_crc = struct.pack("<I", masked_crc32c(length))
    data_crc = struct.pack("<I", masked_crc32c(data))
    return length + length_crc + data + data_crc


def check_compression(compression: str) -> None:
    """Raise an MnistError if TFRecord files aren't compressed in this way here."""
    if compression not in MAX_RATIO:
        raise MnistError(f"compression={compression!r}: use '' or 'GZIP'")


def read_records(path: str | os.PathLike, compression: str = "") -> Iterator[Record]:
    """Read a file :class:`mnistlib.tfrecord.Record` by record, and check every sum.

    In plain Python, some 10 MB/s: to find damage, not to train from.

    Parameters
    ----------
    path, compression
        A TFRecord file, and ``""`` or ``"GZIP"``.

    Raises
    ------
    mnistlib.MnistError
        If the file can't be opened, or the compression is another.
    mnistlib.FileFormatError
        At the first record that is cut off or altered; the message names file,
        record and offset.
    """
    check_compression(compression)
    with _open(path) as file:
        max_bytes = MAX_RATIO[compression] * os.fstat(file.fileno()).st_size
        unpacked = gzip.GzipFile(fileobj=file) if compression else file
        offset = 0
        for index in count():
            try:
                data = _read_frame(unpacked, max_bytes - offset)
            except (ValueError, EOFError, OSError, zlib.error) as error:
                raise FileFormatError(
                    f"{path}: record {index}, at byte {offset}: {error}: write the file anew"
                ) from error
            if data is None:
                return
            yield Record(offset, data)
            offset += FRAME_BYTES + len(data)


def count_records(path: str | os.PathLike) -> int | None:
    """Count an uncompressed file's records by their lengths; None if they end elsewhere than it."""
    with _open(path) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        num_records = offset = 0
        while offset + FRAME_BYTES <= num_bytes:
            file.seek(offset)
            offset += FRAME_BYTES + int.from_bytes(file.read(8), "little")
            num_records += 1
    return num_records if offset == num_bytes else None


def _open(path: str | os.PathLike) -> BinaryIO:
    try:
        return open_to_read(path)
    except OSError as error:
        raise MnistError(f"{path}: can't be read: {error.strerror}") from error


def _read_frame(file: BinaryIO, max_bytes: int) -> bytes | None:
    """Return the next record's data, None at the end; ValueError says what is damaged."""
    header = file.read(HEADER_BYTES)
    if not header:
        return None
    if len(header) < HEADER_BYTES:
        raise ValueError("the file ends inside its length")
    length, length_crc = struct.unpack("<QI", header)
    if masked_crc32c(header[:8]) != length_crc:
        raise ValueError("its length doesn't match its checksum")
    data = _read_exactly(file, length, max_bytes)
    [data_crc] = struct.unpack("<I", _read_exactly(file, 4, max_bytes))
    if masked_crc32c(data) != data_crc:
        raise ValueError("its data doesn't match its checksum")
    return data


def _read_exactly(file: BinaryIO, length: int, max_bytes: int) -> bytes:
    """Read so many bytes, in pieces: a false length takes no more memory than there are data."""
    data = bytearray()
    while len(data) < length <= max_bytes:
        piece = file.read(min(length - len(data), PIECE_BYTES))
        if not piece:
            break
        data += piece
    if len(data) < length:
        raise ValueError("the file ends inside its data")
    return bytes(data)
