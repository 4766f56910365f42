"""``mnist.pkl.gz``: round trips through every pickler, and files that mean harm."""

import contextlib
import gzip
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from mnistlib import FileFormatError, MnistError
from mnistlib.data import pickled, read_pickle, write_pickle
from mnistlib.data.mnist import Mnist, Source, Split
from mnistlib.data.unpickle import MAX_INSTRUCTIONS

SIZES = (5, 3, 3)


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch):
    monkeypatch.setattr(pickled, "SIZES", SIZES)


def make_mnist():
    rng = np.random.default_rng(0)

    def split(size):
        images = rng.integers(0, 256, (size, 28, 28)).astype(np.uint8)
        return Split(images, rng.integers(0, 10, size).astype(np.uint8))

    return Mnist(split(8), split(3), Source("random", "a seed"))


MNIST = make_mnist()
SPLITS = (
    Split(MNIST.train.images[:5], MNIST.train.labels[:5]),
    Split(MNIST.train.images[5:], MNIST.train.labels[5:]),
    MNIST.test,
)
CLASSIC = tuple(
    ((images.reshape(-1, 784) / 256).astype(np.float32), labels.astype(np.int64))
    for images, labels in SPLITS
)


def assert_same(read, expected):
    for pair, expected_pair in zip(read, expected, strict=True):
        for array, expected_array in zip(pair, expected_pair, strict=True):
            assert array.dtype == expected_array.dtype
            assert array.flags.writeable and array.flags.c_contiguous
            np.testing.assert_array_equal(array, expected_array)


def test_the_layout_is_the_classic_one():
    assert_same(pickled.classic(MNIST), CLASSIC)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "mnist.pkl.gz"
    write_pickle(path, MNIST)
    return path


def test_what_is_written_is_read(written):
    assert_same(read_pickle(written), CLASSIC)


def test_what_is_written_is_what_python_reads_as_latin1(written):
    with gzip.open(written) as file:
        assert_same(pickle.load(file, encoding="latin1"), CLASSIC)
    with gzip.open(written) as file, pytest.raises(UnicodeDecodeError):
        pickle.load(file)


def test_the_same_digits_give_the_same_bytes(written, tmp_path):
    write_pickle(tmp_path / "again", MNIST)
    assert (tmp_path / "again").read_bytes() == written.read_bytes()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_every_protocol_of_python_3_is_read(tmp_path, protocol, pack):
    (tmp_path / "file").write_bytes(pack(pickle.dumps(CLASSIC, protocol)))
    assert_same(read_pickle(tmp_path / "file"), CLASSIC)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("change", ["big-endian", "Fortran", "read-only", "transposed"])
def test_any_memory_layout_is_read(tmp_path, protocol, change):
    def changed(array):
        if change == "big-endian":
            return array.astype(array.dtype.newbyteorder(">"))
        if change == "Fortran":
            return np.asfortranarray(array)
        array = array.copy() if change == "read-only" else np.ascontiguousarray(array.T).T
        array.flags.writeable = change != "read-only"
        return array

    other = tuple(tuple(changed(array) for array in pair) for pair in CLASSIC)
    (tmp_path / "file").write_bytes(pickle.dumps(other, protocol))
    assert_same(read_pickle(tmp_path / "file"), CLASSIC)


def test_numpy_1_is_read(tmp_path):
    content = pickle.dumps(CLASSIC, 2)
    assert b"numpy._core" in content
    (tmp_path / "file").write_bytes(content.replace(b"numpy._core", b"numpy.core"))
    assert_same(read_pickle(tmp_path / "file"), CLASSIC)


def python_2(array, protocol):
    """Write what Python 2 wrote: cPickle of protocol 0 and 1, and pickle of 2.

    Its strings are bytes, in protocol 0 as their ``repr``.
    """

    def string(data):
        if protocol == 0:
            return b"S" + repr(data)[1:].encode() + b"\np9\n"
        if len(data) < 256:
            return b"U" + bytes([len(data)]) + data + b"q\x09"
        return b"T" + struct.pack("<i", len(data)) + data + b"r\x09\0\0\0"

    def integer(n):
        if protocol == 0:
            return f"L{n}L\n".encode()
        return b"\x8a\x04" + struct.pack("<i", n) if protocol == 2 else b"I%d\n" % n

    def tuple_of(*parts):
        if protocol == 2 and len(parts) in (1, 2, 3):
            return b"".join(parts) + bytes([0x84 + len(parts)])
        return b"(" + b"".join(parts) + b"t"

    flag, none = (b"I00\n" if protocol < 2 else b"\x89"), b"N"
    dtype = b"cnumpy\ndtype\n" + tuple_of(string(array.dtype.str[1:].encode()), b"I0\n", b"I1\n")
    state = (integer(3), string(b"<"), 3 * none, b"I-1\n", b"I-1\n", b"I0\n")
    return (
        b"cnumpy.core.multiarray\n_reconstruct\np1\n"
        + tuple_of(b"cnumpy\nndarray\n", tuple_of(integer(0)), string(b"b"))
        + b"R"
        + tuple_of(
            integer(1),
            tuple_of(*map(integer, array.shape)),
            dtype + b"R" + tuple_of(*state) + b"b",
            flag,
            string(array.tobytes()),
        )
        + b"b"
    )


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_python_2_is_read(tmp_path, protocol):
    pairs = [b"".join(python_2(array, protocol) for array in pair) for pair in CLASSIC]
    content = b"(" + b"".join(b"(" + pair + b"t" for pair in pairs) + b"t."
    assert_same(pickle.loads(content, encoding="latin1"), CLASSIC)  # so it is one
    (tmp_path / "file").write_bytes(content)
    assert_same(read_pickle(tmp_path / "file"), CLASSIC)


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
        "after the arrays": (*CLASSIC, code),
        "among the labels": (*CLASSIC[:2], (CLASSIC[2][0], np.array([code, 1, 2], object))),
    }[place]
    path = tmp_path / "harm.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(MnistError, match=r"harm\.pkl"):
        read_pickle(path)
    assert not (tmp_path / "proof").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "proof").exists()  # so the file does run code elsewhere


def array_pickle(shape, code=b"f4", data=b"1234", order=b"<", state=b"NNNJ%sJ%sK\0"):
    """Make the pickle of an array by hand, with anything in it."""
    minus_one = struct.pack("<i", -1)
    numbers = b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
        + (b"(K\x01(" + numbers + b"t")
        + (b"cnumpy\ndtype\n" + b"U" + bytes([len(code)]) + code + b"K\0K\x01\x87R")
        + (b"(K\x03U\x01" + order + state.replace(b"%s", minus_one) + b"tb")
        + (b"\x89T" + struct.pack("<i", len(data)) + data + b"tb")
    )


def six(*arrays):
    pairs = [b"".join(arrays[i : i + 2]) + b"\x86" for i in (0, 2, 4)]
    return b"\x80\x02" + b"".join(pairs) + b"\x87."


GOOD = [array_pickle(a.shape, a.dtype.str[1:].encode(), a.tobytes()) for p in CLASSIC for a in p]
X, Y = GOOD[0], GOOD[1]


def with_first(array):
    return six(array, *GOOD[1:])


def changed_arrays(change):
    arrays = [[array.copy() for array in pair] for pair in CLASSIC]
    change(arrays)
    return pickle.dumps(tuple(map(tuple, arrays)), 2)


def set_at(split, part, value):
    def change(arrays):
        arrays[split][part].flat[0] = value

    return changed_arrays(change)


def billion_laughs():
    """Make a tuple with 2**900 leaves, by storing and recalling."""
    return b"\x80\x02)" + 300 * b"q\0h\0\x86" + b"."


HUGE = 2**40
HOSTILE = {
    # Calls and imports.
    "os.system": (b"cos\nsystem\n(S'true'\ntR.", "'os.system'"),
    "a name in two strings": (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "'os.system'"),
    "a name made of a tuple": (b"\x80\x04)\x8c\x06system\x93.", "no name"),
    "an attribute of numpy": (b"cnumpy\nload\n(S'x'\ntR.", "'numpy.load'"),
    "a dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x0ectypeslib.load\x93.", "ctypeslib"),
    "getattr": (b"cbuiltins\ngetattr\n.", "'builtins.getattr'"),
    "a call of encode on nothing known": (b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.", "a call"),
    "a call of an array": (with_first(X + X + b"R"), "a call"),
    "the file's own class": (b"(i__main__\nThing\n.", "INST"),
    "an object": (b"(cnumpy\nndarray\no.", "OBJ"),
    "a new object": (b"cnumpy\nndarray\n)\x81.", "NEWOBJ"),
    "a persistent id": (b"Pid\n.", "PERSID"),
    "an extension": (b"\x82\x01.", "EXT1"),
    "an out-of-band buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "no instruction": (b"\xff.", "the instruction ff"),
    # Values other than arrays of numbers.
    "objects": (with_first(array_pickle((1,), b"O8", b"12345678")), "'O8'"),
    "text": (with_first(array_pickle((1,), b"S4")), "'S4'"),
    "a structure": (with_first(array_pickle((1,), b"V4")), "'V4'"),
    "complex numbers": (with_first(array_pickle((1,), b"c8", b"12345678")), "'c8'"),
    "fields in the state": (
        with_first(array_pickle((1,), state=b"N(S'a'\nt}J%sJ%sK\0")),
        "EMPTY_DICT",
    ),
    "a subarray in the state": (with_first(array_pickle((1,), state=b")NNJ%sJ%sK\0")), "a state"),
    "object flags in the state": (with_first(array_pickle((1,), state=b"NNNJ%sJ%sK?")), "a state"),
    "a list of values": (with_first(b"](K\x01e"), "EMPTY_LIST"),
    "a number alone": (b"K\x01.", "three pairs"),
    "an array that never gets values": (
        with_first(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"),
        "never gets its values",
    ),
    "values set twice": (with_first(X + X[X.index(b"(K\x01(") :]), "a state"),
    # Shapes that lie.
    "a shape without the values": (with_first(array_pickle((HUGE,))), f"{4 * HUGE:,} bytes"),
    "a shape of the wrong size": (
        with_first(array_pickle((5, 783), data=bytes(15_680))),
        "(5, 783)",
    ),
    "a negative length": (with_first(array_pickle((-1,))), "whose shape isn't one"),
    "two negative lengths": (with_first(array_pickle((-1, -1))), "whose shape isn't one"),
    "an empty array": (with_first(array_pickle((0, HUGE), data=b"")), "whose shape isn't one"),
    "65 dimensions": (with_first(array_pickle((1,) * 65)), "whose shape isn't one"),
    "a product that overflows": (with_first(array_pickle((2**62, 2**62))), "bytes"),
    "an array to be made empty": (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\x8a\x06"
        + struct.pack("<q", HUGE)[:6]
        + b"\x85U\x01b\x87R.",
        "a call",
    ),
    # Memory.
    "a string longer than the arrays": (b"\x80\x02T" + struct.pack("<I", 2**31 - 1), "more bytes"),
    "a string of 2**63 bytes": (b"\x80\x05\x8e" + struct.pack("<Q", 2**63), "more bytes"),
    "a byte array of 2**63 bytes": (b"\x80\x05\x96" + struct.pack("<Q", 2**63), "more bytes"),
    "text of 2**63 bytes": (b"\x80\x05\x8d" + struct.pack("<Q", 2**63), "more bytes"),
    "many strings": (b"(" + 900 * (b"U\xff" + 255 * b"x") + b"t.", "more bytes"),
    "a memo of 2**31 entries": (b"Nr\xff\xff\xff\x7f.", "three pairs"),
    "a line without end": (b"I" + 10**6 * b"1", "a line"),
    "text without end": (b"V" + 10**7 * b"1", "a line"),
    "a huge number": (b"\x8b" + struct.pack("<I", 2**31 - 1), "LONG4"),
    "a number of 255 bytes": (b"\x8a\xff" + 255 * b"x" + b".", "no array has"),
    "a million lists": (10**6 * b"]", "EMPTY_LIST"),
    "a million tuples": (10**6 * b")", f"{MAX_INSTRUCTIONS:,} instructions"),
    "a million marks": (10**6 * b"(", f"{MAX_INSTRUCTIONS:,} instructions"),
    "a billion laughs": (billion_laughs(), "three pairs"),
    "text that grows when decoded": (
        b"X" + struct.pack("<i", 8) + "ab\U0001f600xy".encode() + b".",
        "isn't Latin-1",
    ),
    "escapes that grow when decoded": (rb"V\U0001f600" + b"\n.", "isn't Latin-1"),
    # Programs that go wrong.
    "nothing": (b"", "ends too early"),
    "an empty stack": (b"\x80\x02R.", "empty stack"),
    "nothing to store": (b"q\0.", "empty stack"),
    "nothing to recall": (b"h\0.", "hasn't stored"),
    "no mark": (b"NNt.", "a mark"),
    "below a mark": (b"N(\x85.", "empty stack"),
    "a name cut off": (b"cnumpy\n", "a line"),
    "a number that isn't one": (b"I1_000\n.", "a number"),
    "a string without quotes": (b"Sabc\n.", "quotes"),
    "a bad escape": (b"S'\\x'\n.", "escape"),
    "bad UTF-8": (b"X" + struct.pack("<i", 1) + b"\x80.", "decode"),
    "bytes left over": (six(*GOOD) + b"\0", "left over"),
    # Arrays that aren't MNIST's.
    "two pairs": (pickle.dumps(CLASSIC[:2], 2), "three pairs"),
    "a flat list of arrays": (pickle.dumps(sum(CLASSIC, ()), 2), "three pairs"),
    "images of float64": (
        changed_arrays(lambda a: a[0].__setitem__(0, a[0][0].astype(float))),
        "more bytes",
    ),
    "labels of int32": (
        changed_arrays(lambda a: a[0].__setitem__(1, a[0][1].astype(np.int32))),
        "int32",
    ),
    "a label too few": (changed_arrays(lambda a: a[1].__setitem__(1, a[1][1][:-1])), "(2,)"),
    "images and labels swapped": (changed_arrays(lambda a: a[0].reverse()), "where"),
    "a label of ten": (set_at(0, 1, 10), "labels outside"),
    "a negative label": (set_at(2, 1, -1), "labels outside"),
    "a pixel of 255": (set_at(1, 0, 255), "outside of 0 to 1"),
    "a pixel that is no number": (set_at(0, 0, np.nan), "outside of 0 to 1"),
    "a pixel without bound": (set_at(2, 0, np.inf), "outside of 0 to 1"),
}


def test_the_good_parts_of_the_hostile_files_are_good(tmp_path):
    (tmp_path / "file").write_bytes(six(*GOOD))
    assert_same(read_pickle(tmp_path / "file"), CLASSIC)


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name_in_little_memory(tmp_path, name, pack):
    content, expected = HOSTILE[name]
    path = tmp_path / "some-file"
    path.write_bytes(pack(content))
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match="some-file") as caught:
            read_pickle(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 400
    assert peak < 2_000_000


def test_every_cut_is_refused(tmp_path):
    content = six(*GOOD)
    for length in [*range(300), *range(len(content) - 300, len(content))]:
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(FileFormatError):
            read_pickle(tmp_path / "cut")


@pytest.mark.parametrize("damage", ["cut", "cut in the sum", "wrong sum", "wrong header"])
def test_a_damaged_gzip_stream_is_refused(tmp_path, written, damage):
    content = bytearray(written.read_bytes())
    if damage == "wrong header":
        content[2] ^= 0xFF
    elif damage == "wrong sum":
        content[-5] ^= 0xFF
    else:
        del content[-4 if damage == "cut in the sum" else len(content) // 2 :]
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(FileFormatError, match="damaged"):
        read_pickle(tmp_path / "damaged")


@pytest.mark.parametrize("instruction", [b"V", b"S'", b"T\0\0\0\x08", b"I", b"c", b"."])
def test_a_gzip_bomb_is_not_unpacked(tmp_path, instruction):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as file:
        file.write(instruction)
        for _ in range(200):
            file.write(b"0" * 10**6)
    assert path.stat().st_size < 300_000
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=r"bomb\.gz"):
            read_pickle(path)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_an_unreadable_file_is_named(tmp_path, path):
    with pytest.raises(FileFormatError, match=r"(No such file|Is a directory)"):
        read_pickle(tmp_path / path)


def test_random_damage_never_ends_in_another_error(tmp_path):
    rng = np.random.default_rng(0)
    good = [pickle.dumps(CLASSIC, protocol) for protocol in range(6)] + [six(*GOOD)]
    for trial in range(700):
        content = bytearray(good[trial % len(good)])
        # Most of the file is values; the instructions are at the beginnings.
        for position in rng.integers(0, min(400, len(content)), size=1 + trial % 3):
            content[position] = rng.integers(256)
        (tmp_path / "file").write_bytes(content)
        with contextlib.suppress(FileFormatError):
            read_pickle(tmp_path / "file")
