"""``mnist.pkl.gz``: round trips through the picklers, and files that mean harm."""

import gzip
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from mnistlib import FileFormatError
from mnistlib.data import pickled, read_pickle, write_pickle
from mnistlib.data.mnist import Mnist, Source, Split
from mnistlib.data.pickled import ClassicMnist

SIZES = (50, 20, 20)
LIMIT = sum(SIZES) * (784 * 4 + 8) + pickled.BYTES_BESIDE


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
IMAGES, LABELS = CLASSIC[0]


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


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("pairs", [CLASSIC, ClassicMnist(*CLASSIC)], ids=["tuple", "ClassicMnist"])
def test_what_python_3_pickles_is_read(tmp_path, protocol, pairs):
    (tmp_path / "file").write_bytes(pickle.dumps(pairs, protocol))
    assert_same(read_pickle(tmp_path / "file"))


def python_2(array, false=b"\x89"):
    """Pickle an array as Python 2 did, memo and all."""
    data, shape = array.tobytes(), b"".join(b"M" + struct.pack("<H", n) for n in array.shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\1(cnumpy\nndarray\nq\2(K\0tq\3U\1bq\4tRq\5"
        + (b"(K\1(" + shape + b"tcnumpy\ndtype\nq\6(U\2" + array.dtype.str[1:].encode())
        + (b"K\0K\1tRq\7(K\3U\1<q\x08NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\0tb")
        + (false + b"T" + struct.pack("<i", len(data)) + data + b"q\x09tb")
    )


def python_2_file(start=b"\x80\2", false=b"\x89"):
    pairs = [b"(" + python_2(x, false) + python_2(y, false) + b"t" for x, y in CLASSIC]
    return start + b"(" + b"".join(pairs) + b"t."


@pytest.mark.parametrize("form", [(b"", b"I00\n"), (b"\x80\2", b"\x89")], ids=["1", "2"])
def test_what_python_2_pickled_is_read(tmp_path, form):
    assert_same(pickle.loads(python_2_file(*form), encoding="latin1"))  # so it is one
    (tmp_path / "file").write_bytes(python_2_file(*form))
    assert_same(read_pickle(tmp_path / "file"))


def refusal(path):
    """Return why a file is refused, and see that this takes no more memory than a good one."""
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError) as caught:
            read_pickle(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    start, reason = str(caught.value).split(": not read as mnist.pkl.gz: ")
    assert start == str(path)
    assert 0 < len(reason) < 350
    assert peak < 4 * LIMIT
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
    (tmp_path / "harm").write_bytes(pickle.dumps(content, protocol))
    refusal(tmp_path / "harm")
    assert not (tmp_path / "proof").exists()
    pickle.loads((tmp_path / "harm").read_bytes())
    assert (tmp_path / "proof").exists()  # so the file does run code elsewhere


def changed(split, part, change):
    """Pickle the arrays after one of them was changed, in place or for another."""
    arrays = [[array.copy() for array in pair] for pair in CLASSIC]
    other = change(arrays[split][part])
    if other is not None:
        arrays[split][part] = other
    return pickle.dumps(tuple(map(tuple, arrays)), 3)


def sized(code, width, size):
    return code + size.to_bytes(width, "little")


PACKED = gzip.compress(python_2_file())
FULL = LIMIT - 100
EMOJI = "\U0001f600".encode()
HOSTILE = {
    # Code.
    "GLOBAL": (b"cos\nsystem\nX\4\0\0\0true\x85R.", "'os.system'"),
    "STACK_GLOBAL, long": (sized(b"T", 4, FULL) + bytes(FULL) + b"U\1x\x93.", "asks for"),
    "a dotted name": (b"\x80\4\x8c\5numpy\x8c\x0eload.__class__\x93.", "'numpy.load.__class__'"),
    "a call of a string": (b"U\1x(tR.", "not callable"),
    # The unpickler skips the rest of a cut frame, and executes what genops takes for bytes.
    "a cut frame": (
        sized(b"\x80\4\x95", 8, 2) + sized(b"B", 4, 263) + b"\0\0" + 261 * b"]" + b".",
        "whole opcodes",
    ),
    "frames in frames": (sized(sized(b"\x95", 8, 9) + b"\x95", 8, 5) + b"NNNNN.", "whole opcodes"),
    # Memory.
    "an array of any shape": (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\0\0\0\x40\x85U\1b\x87R.",
        "three pairs",
    ),
    "a memo of 2**31": (sized(b"Nr", 4, 2**31 - 1) + b".", "LONG_BINPUT"),
    "BINSTRING of 2**31": (sized(b"T", 4, 2**31 - 1) + b"x", "only 1 remain"),
    "BYTEARRAY8 of 2**63": (sized(b"\x96", 8, 2**63 - 1) + b"x", "only 1 remain"),
    "a frame of 2**63": (sized(b"\x95", 8, 2**63 - 1) + b"N.", "overflow"),
    "UNICODE": (b"V" + FULL * b"1" + rb"\U0001f600" + b"\n.", "no newline"),
    "wide text": (sized(b"X", 4, FULL) + (FULL - 4) * b"x" + EMOJI + b".", "a text of"),
    "marks": (FULL * b"(", "1,000 opcodes"),
    "a deep tuple": (b"N" + 990 * b"\x85" + b".", "three pairs"),
    "a tuple of 2**300 leaves": (b"N" + 300 * b"q\0h\0\x86" + b".", "three pairs"),
    "more than the arrays": (python_2_file() + bytes(5 * LIMIT), f"{LIMIT:,} bytes"),
    "a gzip bomb": (gzip.compress(b"V" + bytes(10**8)), f"{LIMIT:,} bytes"),
    # Damage.
    "nothing": (b"", "empty"),
    "no memo": (b"h\0.", "Memo"),
    "bytes left over": (python_2_file() + b"\0", "left over"),
    "gzip, sum cut": (PACKED[:-1], "truncated"),
    "gzip, wrong sum": (PACKED[:-5] + bytes([PACKED[-5] ^ 1]) + PACKED[-4:], "incorrect data"),
    "gzip, two streams": (PACKED + PACKED, "something follows it"),
    # Arrays that aren't MNIST's.
    "no arrays": (pickle.dumps(((1, 2), (3, 4), (5, 6)), 3), "(50, 784)"),
    "float64": (changed(0, 0, lambda x: x[:25].astype(float)), "f4"),
    "big-endian": (changed(0, 0, lambda x: x.astype(">f4")), "f4"),
    "Fortran's order": (changed(0, 0, np.asfortranarray), "f4"),
    "a shape without values": (python_2_file().replace(b"M\x10\3", b"M\x11\3", 1), "(50, 784)"),
    "a label of 200": (changed(0, 1, lambda y: y.put(-1, 200)), "labels"),
    "a negative label": (changed(2, 1, lambda y: y.put(0, -1)), "labels"),
    "a pixel of 255": (changed(1, 0, lambda x: x.put(0, 255)), "outside of 0 to 1"),
    "NaN": (changed(0, 0, lambda x: x.put(-1, np.nan)), "outside of 0 to 1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_little_memory(tmp_path, name):
    content, expected = HOSTILE[name]
    (tmp_path / "some-file").write_bytes(content)
    assert expected in refusal(tmp_path / "some-file")


@pytest.mark.parametrize("content", [python_2_file(), pickle.dumps(CLASSIC, 5)], ids=["2", "5"])
def test_every_cut_is_refused(tmp_path, content):
    for length in [*range(350), *range(400, len(content), 9_999), len(content) - 1]:
        (tmp_path / "cut").write_bytes(content[:length])
        refusal(tmp_path / "cut")


def test_what_is_no_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "nowhere")
    assert refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe")
