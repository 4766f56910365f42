"""IDX files: round trips, and every way in which a file can be wrong."""

import gzip
import os
import struct

import numpy as np
import pytest

from mnistlib import FileFormatError
from mnistlib.data import read_idx, write_idx

HEADER = struct.pack(">HBBII", 0, 0x08, 2, 3, 4)
VALUES = bytes(range(12))
GOOD = HEADER + VALUES
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (0, 28, 28), (1, 0)])
def test_round_trip(tmp_path, name, dtype, shape):
    array = np.random.default_rng(0).integers(-128, 128, shape).astype(dtype)
    write_idx(tmp_path / name, array)
    read = read_idx(tmp_path / name)
    assert read.dtype == array.dtype
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


def test_layout_and_byte_order_are_those_of_the_format_each_time(tmp_path):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_idx(tmp_path / "file", array)
    assert (tmp_path / "file").read_bytes() == GOOD
    write_idx(tmp_path / "file.gz", array)
    assert (tmp_path / "file.gz").read_bytes() == PACKED
    write_idx(tmp_path / "file", np.array([1], dtype=np.int32))
    assert (tmp_path / "file").read_bytes()[-4:] == b"\0\0\0\x01"


TERABYTES = struct.pack(">HBBII", 0, 0x08, 2, 2**31, 2**10)

WRONG = {
    "magic": (b"\x01\0" + GOOD[2:], "expected 0000"),
    "type code": (b"\0\0\x07\x02" + GOOD[4:], "0x07"),
    "no dimensions": (b"\0\0\x08\0" + VALUES, "no dimensions"),
    "an impossible shape": (
        struct.pack(">HBB4I", 0, 0x08, 4, 0, *[2**32 - 1] * 3),
        "array is too big",
    ),
    "cut in the shape": (GOOD[:9], "inside its header"),
    "cut in the values": (GOOD[:-1], "ends after 11 of the 12 bytes"),
    "trailing bytes": (GOOD + b"\0", "left over"),
    # Refused before memory is asked for.
    "terabytes": (TERABYTES + VALUES, "too short to hold the 2,199,023,255,552"),
    "gzip, terabytes": (gzip.compress(TERABYTES), "too short to hold the 2,199,023,255,552"),
    "gzip, trailing bytes outside": (PACKED + b"x", "gzip stream is damaged"),
    "gzip, a second stream": (PACKED + PACKED, "left over"),
    "gzip, broken checksum": (PACKED[:-5] + b"\xff" + PACKED[-4:], "gzip stream is damaged"),
}


@pytest.mark.parametrize(("content", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_by_name(tmp_path, content, problem):
    (tmp_path / "some-file").write_bytes(content)
    with pytest.raises(FileFormatError, match=f"some-file: .*{problem}"):
        read_idx(tmp_path / "some-file")


def test_every_cut_of_a_gzipped_file_is_refused(tmp_path):
    for length in range(2, len(PACKED)):
        (tmp_path / "cut").write_bytes(PACKED[:length])
        with pytest.raises(FileFormatError, match="cut: its gzip stream is damaged"):
            read_idx(tmp_path / "cut")


def test_a_well_packed_file_is_read(tmp_path):
    # Zeros pack nearly as well as deflate can: the bound must not refuse them.
    zeros = np.zeros((1_000, 1_000), np.uint8)
    write_idx(tmp_path / "zeros.gz", zeros)
    np.testing.assert_array_equal(read_idx(tmp_path / "zeros.gz"), zeros)


@pytest.mark.parametrize("path", ["nowhere", ".", "fifo"])
def test_an_unreadable_file_is_named_and_not_waited_for(tmp_path, path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileFormatError, match="can't be read"):
        read_idx(tmp_path / path)


@pytest.mark.parametrize(
    "array", [np.zeros(3, complex), np.zeros(3, bool), np.zeros(3, np.uint16), np.uint8(3)]
)
def test_what_idx_cannot_hold_is_refused_and_leaves_no_file(tmp_path, array):
    with pytest.raises(FileFormatError, match="can't hold"):
        write_idx(tmp_path / "file", array)
    assert not list(tmp_path.iterdir())
