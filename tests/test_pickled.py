"""``mnist.pkl.gz``: round trips through the picklers, and files that mean harm."""

import gzip
import os
import pickle
import struct

import numpy as np
import pytest

from mnistlib import FileFormatError
from mnistlib.data import pickled, read_pickle, write_pickle
from mnistlib.data.mnist import Mnist, Source, Split

SIZES = (50, 20, 20)


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch):
    monkeypatch.setattr(pickled, "SIZES", SIZES)


RNG = np.random.default_rng(0)
TRAIN, TEST = (
    Split(
        RNG.integers(0, 256, (size, 28, 28)).astype(np.uint8),
        RNG.integers(0, 10, size).astype(np.uint8),
    )
    for size in (70, 20)
)
MNIST = Mnist(TRAIN, TEST, Source("random", "a seed"))
CLASSIC = tuple(
    ((images.reshape(-1, 784) / 256).astype(np.float32), labels.astype(np.int64))
    for images, labels in [(a[:50] for a in TRAIN), (a[50:] for a in TRAIN), TEST]
)


def assert_same(read):
    for pair, expected_pair in zip(read, CLASSIC, strict=True):
        for array, expected_array in zip(pair, expected_pair, strict=True):
            assert array.dtype == expected_array.dtype
            assert array.flags.writeable and array.flags.c_contiguous
            np.testing.assert_array_equal(array, expected_array)


def test_what_is_written_is_what_python_reads_as_latin1_and_always_the_same(tmp_path):
    written = tmp_path / "mnist.pkl.gz"
    write_pickle(written, MNIST)
    assert_same(pickled.classic(MNIST))
    assert_same(read_pickle(written))
    with gzip.open(written) as file:
        assert_same(pickle.load(file, encoding="latin1"))
    with gzip.open(written) as file, pytest.raises(UnicodeDecodeError):
        pickle.load(file)
    write_pickle(tmp_path / "again", MNIST)
    assert (tmp_path / "again").read_bytes() == written.read_bytes()


@pytest.mark.parametrize("protocol", [3, 4])
def test_what_python_3_pickles_is_read(tmp_path, protocol):
    (tmp_path / "file").write_bytes(gzip.compress(pickle.dumps(CLASSIC, protocol)))
    assert_same(read_pickle(tmp_path / "file"))


def python_2(array):
    """Pickle an array as Python 2 did, memo and all."""
    data, shape = array.tobytes(), b"".join(b"M" + struct.pack("<H", n) for n in array.shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\1(cnumpy\nndarray\nq\2(K\0tq\3U\1bq\4tRq\5"
        + (b"(K\1(" + shape + b"tcnumpy\ndtype\nq\6(U\2" + array.dtype.str[1:].encode())
        + (b"K\0K\1tRq\7(K\3U\1<q\x08NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\0tb")
        + (b"\x89T" + struct.pack("<i", len(data)) + data + b"q\x09tb")
    )


def test_what_python_2_pickled_is_read(tmp_path):
    pairs = [b"(" + python_2(x) + python_2(y) + b"t" for x, y in CLASSIC]
    content = b"\x80\2(" + b"".join(pairs) + b"t."
    assert_same(pickle.loads(content, encoding="latin1"))  # so it is one
    (tmp_path / "file").write_bytes(gzip.compress(content))
    assert_same(read_pickle(tmp_path / "file"))


def refusal(path):
    """Return why a file is refused."""
    with pytest.raises(FileFormatError) as caught:
        read_pickle(path)
    start, reason = str(caught.value).split(": not read as mnist.pkl.gz: ")
    assert start == str(path)
    assert 0 < len(reason) < 350
    return reason


class Runs:
    """An object whose pickle calls ``os.mkdir``."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", ["alone", "after the arrays", "among the labels"])
def test_no_code_runs(tmp_path, protocol, place):
    code = Runs(tmp_path / "proof")
    content = {
        "alone": code,
        "after the arrays": (code, *CLASSIC[1:]),
        "among the labels": ((np.array([code], object), CLASSIC[0][1]), *CLASSIC[1:]),
    }[place]
    pickled_code = pickle.dumps(content, protocol)
    (tmp_path / "harm").write_bytes(gzip.compress(pickled_code))
    assert "isn't allowed" in refusal(tmp_path / "harm")
    assert not (tmp_path / "proof").exists()
    pickle.loads(pickled_code)
    assert (tmp_path / "proof").exists()  # so the file does run code elsewhere


def changed(split, part, change):
    """Pickle the arrays after one of them was changed, in place or for another."""
    arrays = [[array.copy() for array in pair] for pair in CLASSIC]
    other = change(arrays[split][part])
    if other is not None:
        arrays[split][part] = other
    return gzip.compress(pickle.dumps(tuple(map(tuple, arrays)), 3))


PACKED = gzip.compress(pickle.dumps(CLASSIC, 3))
# NumPy itself would take these eight bytes for a pointer, and follow it.
FORGED = (
    b"\x80\2((cnumpy\nndarray\n(K\1\x85cnumpy\ndtype\nU\1O\x85R"
    b"(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbU\x08AAAAAAAAtRNtNNt."
)
BAD = {
    "a forged pointer": (gzip.compress(FORGED), "state"),
    "a dotted name": (gzip.compress(b"\x80\4\x8c\5numpy\x8c\x0eload.__class__\x93."), "allowed"),
    "not gzipped": (pickle.dumps(CLASSIC, 3), "gzip"),
    "gzip, sum cut": (PACKED[:-5], "ended"),
    "gzip, wrong sum": (PACKED[:-5] + bytes([PACKED[-5] ^ 1]) + PACKED[-4:], "CRC"),
    "a gzip bomb": (gzip.compress(bytes(10**8)), "unpacks to more than"),
    "two pickles": (PACKED + PACKED, "follows"),
    "two pairs": (gzip.compress(pickle.dumps(CLASSIC[:2], 3)), "zip()"),
    "no arrays": (gzip.compress(pickle.dumps(((1, 2), (3, 4), (5, 6)), 3)), "state"),
    "a class": (gzip.compress(b"((cnumpy\nndarray\nNtNNt."), "state"),
    "float64": (changed(0, 0, lambda x: x.astype(float)), "type f4"),
    "Fortran's order": (changed(0, 0, np.asfortranarray), "type f4"),
    "another shape": (changed(1, 0, lambda x: x[:, :-1]), "(20, 784)"),
    "a label of 200": (changed(0, 1, lambda y: y.put(-1, 200)), "labels"),
    "a negative label": (changed(2, 1, lambda y: y.put(0, -1)), "labels"),
    "a pixel of 255": (changed(1, 0, lambda x: x.put(0, 255)), "outside of 0 to 1"),
    "NaN": (changed(0, 0, lambda x: x.put(-1, np.nan)), "outside of 0 to 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_of_other_things_is_refused(tmp_path, name):
    content, expected = BAD[name]
    (tmp_path / "some-file").write_bytes(content)
    assert expected in refusal(tmp_path / "some-file")


def test_what_is_no_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "nowhere")
    assert refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe")
