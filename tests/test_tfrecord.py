"""TFRecord files against TensorFlow's own, there and back, and damaged in every way."""

import gzip
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from mnistlib import ChecksumError, FileFormatError, MnistError
from mnistlib.tfrecord import Feature, Manifest, read, read_records, verify, write
from mnistlib.tfrecord.framing import frame, masked_crc32c

SIZE = 50
RNG = np.random.default_rng(0)
ARRAYS = {
    "image": RNG.integers(0, 256, (SIZE, 6, 5), np.uint8),
    "label": np.arange(SIZE, dtype=np.uint8),
    "weight": RNG.normal(size=SIZE).astype(np.float32),
    "box": RNG.normal(size=(SIZE, 4)),
}


@pytest.fixture(params=["", "GZIP"], ids=["plain", "gzip"])
def compression(request):
    return request.param


@pytest.fixture
def folder(tmp_path, compression):
    write(tmp_path / "data", ARRAYS, shard_size=20, compression=compression)
    return tmp_path / "data"


def gather(dataset):
    batches = list(dataset.as_numpy_iterator())
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def shard(folder, index=1):
    return sorted(folder.glob("*.tfrecord*"))[index]


def flip(content, offset):
    return content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :]


def put(folder, content):
    """Replace the second shard, and let the manifest vouch for the new one."""
    manifest = Manifest.load(folder)
    data = gzip.compress(content) if manifest.compression else content
    shard(folder).write_bytes(data)
    first, second, *rest = manifest.shards
    second = replace(second, num_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    replace(manifest, shards=(first, second, *rest)).save(folder)


def test_frames_are_those_that_tensorflow_writes(tmp_path):
    path, records = tmp_path / "theirs", [b"", b"x", bytes(range(256)) * 9]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    assert path.read_bytes() == b"".join(map(frame, records))
    assert list(read_records(path)) == list(zip([0, 16, 33], records, strict=True))


@pytest.mark.parametrize("shard_size", [None, 1, 20])
def test_what_is_read_is_what_was_written(tmp_path, compression, shard_size):
    options = {"shard_size": shard_size, "compression": compression}
    manifest = write(tmp_path / "data", ARRAYS, **options)
    assert len(manifest.shards) == -(-SIZE // (shard_size or SIZE))
    assert verify(tmp_path / "data") == manifest
    rows = ({name: array[i] for name, array in ARRAYS.items()} for i in range(SIZE))
    assert write(tmp_path / "rows", rows, **options) == manifest
    dataset = read(tmp_path / "data", 8)
    assert len(dataset) == 7
    found = gather(dataset)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_values_that_a_type_holds_come_back_in_it(tmp_path):
    columns = {
        "float32": [2**24, np.nan],
        "float16": [0.5, np.inf],
        "bool": [True, 0],
        "int64": [2**63 - 1, -(2**63)],
        "uint16": np.array([1, 2], ">i2"),
    }
    features = {dtype: Feature((), dtype) for dtype in columns}
    write(tmp_path / "data", columns, features=features)
    found = gather(read(tmp_path / "data", 2))
    for dtype, values in columns.items():
        assert found[dtype].dtype == dtype
        np.testing.assert_array_equal(found[dtype], values)


def test_parallel_reads_take_turns_keys_give_tuples_and_a_shuffle_deals_anew(folder):
    pairs = list(read(folder, 8, keys=("image", "label"), parallel_reads=3))
    in_turn = np.concatenate([label for _, label in pairs]).tolist()
    assert pairs[0][0].shape == (8, 6, 5)
    assert in_turn[:6] == [0, 20, 40, 1, 21, 41]
    dataset = read(folder, 8, shuffle=SIZE, seed=0)
    first, second = (gather(dataset)["label"].tolist() for _ in range(2))
    assert first != second
    assert sorted(in_turn) == sorted(first) == sorted(second) == list(range(SIZE))


def test_damage_is_found_in_every_part_of_a_frame(tmp_path):
    good, path = frame(b"some data"), tmp_path / "damaged"
    altered = [flip(good, offset) for offset in range(len(good))]
    cut_off = [good[:keep] for keep in range(1, len(good))]
    for content in altered + cut_off:
        path.write_bytes(frame(b"first") + content)
        records = read_records(path)
        assert next(records).data == b"first"
        reason = "the file ends inside" if content in cut_off else r"its \w+ doesn't match"
        with pytest.raises(FileFormatError, match=f"damaged: record 1, at byte 21: {reason}"):
            next(records)


@pytest.mark.parametrize("length", [2**28, 2**40, 2**62, 2**63])
def test_a_hostile_length_takes_no_memory_and_ends_no_process(folder, compression, length):
    """Sizes and sums are right; TensorFlow alone is ended by a signal at 2**62."""
    packed = struct.pack("<Q", length)
    put(folder, packed + struct.pack("<I", masked_crc32c(packed)) + RNG.bytes(300_000))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=r"00001-of.*record 0, at byte 0: the file ends"):
        verify(folder)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    with pytest.raises(tf.errors.DataLossError if compression else FileFormatError):
        list(read(folder, 8))


@pytest.mark.parametrize("check", [verify, lambda folder: read(folder, 8)], ids=["verify", "read"])
def test_missing_and_truncated_shards_are_found_at_once(folder, check, compression):
    path = shard(folder)
    os.truncate(path, path.stat().st_size - 5)
    with pytest.raises(FileFormatError, match=r"00001-of.*record \d+, at byte \d+: .*end"):
        check(folder)
    if not compression:
        os.truncate(path, list(read_records(shard(folder, 0)))[5].offset)
        with pytest.raises(ChecksumError, match=r"00001-of.*5 whole records, 20 were written"):
            check(folder)
    path.unlink()
    with pytest.raises(MnistError, match=r"00001-of-00003\.tfrecord.*: is missing"):
        check(folder)


def test_what_is_no_readable_file_is_refused(folder):
    for call, message in [
        (lambda: next(read_records(folder / "gone")), "gone: can't be read: No such file"),
        (lambda: next(read_records(folder)), "data: can't be read: not a regular file"),
        (lambda: next(read_records(shard(folder), "LZ4")), "compression='LZ4'"),
        (lambda: verify(folder.parent), r"manifest\.json: can't be read .*is it a dataset"),
    ]:
        with pytest.raises(MnistError, match=message):
            call()


def test_verify_reads_every_record_that_the_manifest_vouches_for(tmp_path, compression):
    folder = tmp_path / "data"
    write(folder, {"label": ARRAYS["label"]}, shard_size=25, compression=compression)
    records = [frame(record.data) for record in read_records(shard(folder), compression)]
    for content, message in [
        ([*records[:7], frame(b"no \xff example"), *records[8:]], "record 7, .*no example of"),
        (records[:24], "24 whole records, 25 were written"),
        ([*records[:24], flip(records[24], 12)], "record 24, .*its data doesn't match"),
    ]:
        put(folder, b"".join(content))
        with pytest.raises(MnistError, match=rf"00001-of-00002\.tfrecord.*{message}"):
            verify(folder)
    shard(folder).write_bytes(shard(folder, 0).read_bytes())
    with pytest.raises(ChecksumError, match=r"00001-of.*it is another file"):
        verify(folder)
    replace(Manifest.load(folder), features={"label": Feature((), "float32")}).save(folder)
    with pytest.raises(FileFormatError, match=r"00000-of.*record 0, .*no example of"):
        verify(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": {"image": Feature((9, 9), "uint8", "raw")}}, r"\(6, 5\).*not .*\(9, 9\)"),
        ({"keys": ("image", "digit")}, r"no features \['digit'\]: choose from"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"shuffle": -1}, "shuffle=-1"),
        ({"parallel_reads": 0}, "parallel_reads=0"),
    ],
)
def test_what_cannot_be_read_so_is_refused(folder, arguments, message):
    with pytest.raises(MnistError, match=message):
        read(folder, **{"batch_size": 8, **arguments})


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("shards"),
        lambda content: content.update(shards=[]),
        lambda content: content.update(compression="BROTLI"),
        lambda content: content["shards"][0].update(name="../other"),
        lambda content: content["shards"][0].update(num_examples=0, num_bytes=0),
        # TensorFlow is ended by a signal when it makes room for so many values.
        lambda content: content["features"]["label"].update(shape=[2**40]),
    ],
)
def test_what_is_no_manifest_is_refused(folder, change):
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=r"manifest\.json: no manifest"):
        verify(folder)


def test_an_altered_manifest_is_refused(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace("uint8", "int8"))  # no sum of a shard shows that
    with pytest.raises(ChecksumError, match=r"manifest\.json: was altered"):
        read(folder, 8)


@pytest.mark.parametrize(
    "arguments",
    [((), "foo"), ((), ">i2"), ((0,), "uint8"), ([2], "uint8"), ((2,), "uint32", "raw")],
)
def test_a_feature_that_could_not_be_read_back_is_refused(arguments):
    with pytest.raises(MnistError, match="no feature of shape"):
        Feature(*arguments)


def of_type(dtype):
    return {"features": {"a": Feature((), dtype)}}


@pytest.mark.parametrize(
    ("examples", "options", "message"),
    [
        ({"a": np.zeros(3), "b": np.zeros(2)}, {}, "different lengths: {'a': 3, 'b': 2}"),
        ([], {}, "no examples"),
        ([{}], {}, "no examples"),
        ([{"a": 1}, {"b": 1}], {}, "example 1 has"),
        ([{"a": 1}, {"a": [1, 2]}], {}, "example 1: 'a' is of shape"),
        ([{"a": [[1], [1, 2]]}], {}, "example 0: 'a' is no array: its parts differ"),
        ([{"a": "text"}], {}, "example 0: 'a' is no feature of"),
        ([{"a": 256}], of_type("uint8"), "example 0: 'a' is int64, and uint8 can't hold"),
        ([{"a": 1e300}], of_type("float32"), "example 0: 'a' is float64, and float32 can't"),
        ([{"a": 2**24 + 1}], of_type("float32"), "example 0: 'a' is int64, and float32 can't"),
        ([{"a": 1}], {"compression": "LZ4"}, "compression='LZ4'"),
        ([{"a": 1}], {"shard_size": 0}, "shard_size=0"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, examples, options, message):
    with pytest.raises(MnistError, match=message):
        write(tmp_path / "data", examples, **options)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, full_disk):
    with full_disk(2**20), pytest.raises(MnistError, match="data: can't be written"):
        write(tmp_path / "data", {"a": np.zeros((8, 2**18), np.uint8)})
    assert not list(tmp_path.iterdir())


WRITER = """
import os, signal
from mnistlib.tfrecord import write

def examples():
    yield from ({"label": label} for label in range(55))
    os.kill(os.getpid(), signal.SIGKILL)

write("data", examples(), shard_size=10)
"""


def test_a_killed_writer_leaves_no_dataset(tmp_path):
    writer = subprocess.run([sys.executable, "-c", WRITER], cwd=tmp_path, capture_output=True)
    assert writer.returncode == -signal.SIGKILL, writer.stderr.decode()
    assert sum(path.is_file() for path in tmp_path.rglob("*")) >= 5  # five shards were full
    assert not (tmp_path / "data").exists()
