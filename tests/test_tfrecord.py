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
from mnistlib.tfrecord import (
    Feature,
    Manifest,
    crc32c,
    frame,
    masked_crc32c,
    read,
    read_records,
    verify,
    write,
)

SIZE = 50


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (SIZE, 6, 5), np.uint8),
        "label": np.arange(SIZE, dtype=np.uint8),
        "weight": rng.normal(size=SIZE).astype(np.float32),
        "box": rng.normal(size=(SIZE, 4)),
    }


@pytest.fixture
def folder(tmp_path, arrays):
    write(tmp_path / "data", arrays, shard_size=20)
    return tmp_path / "data"


def gather(dataset):
    batches = list(dataset.as_numpy_iterator())
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def labels_of(dataset):
    return [int(label) for batch in dataset.as_numpy_iterator() for label in batch["label"]]


def shard(folder, index=1):
    return sorted(folder.glob("*.tfrecord*"))[index]


def flip(content, offset):
    return content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :]


def head(length):
    """The beginning of a frame that is right but for what follows it."""
    packed = struct.pack("<Q", length)
    return packed + struct.pack("<I", masked_crc32c(packed))


def put(folder, content, index=1, **changes):
    """Replace a shard, and let the manifest vouch for the new one."""
    path, manifest = shard(folder, index), Manifest.load(folder)
    path.write_bytes(gzip.compress(content) if manifest.compression else content)
    shards = list(manifest.shards)
    data = path.read_bytes()
    sums = {"num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    shards[index] = replace(shards[index], **sums, **changes)
    replace(manifest, shards=tuple(shards)).save(folder)


def test_sums_are_those_of_the_rfc():
    """RFC 3720, appendix B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_frames_are_those_that_tensorflow_writes(tmp_path):
    records = [b"", b"x", bytes(range(256)) * 9]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in records:
            writer.write(record)
    assert (tmp_path / "theirs").read_bytes() == b"".join(map(frame, records))
    found = list(read_records(tmp_path / "theirs"))
    assert [record.data for record in found] == records
    assert [record.offset for record in found] == [0, 16, 33]


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("shard_size", [None, 1, 20])
def test_what_is_read_is_what_was_written(tmp_path, arrays, compression, shard_size):
    manifest = write(tmp_path / "data", arrays, shard_size=shard_size, compression=compression)
    assert manifest.num_examples == SIZE
    assert len(manifest.shards) == -(-SIZE // (shard_size or SIZE))
    assert verify(tmp_path / "data") == manifest
    dataset = read(tmp_path / "data", 8)
    assert len(dataset) == 7
    found = gather(dataset)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        (Feature((), "uint8"), [0, 7, 255]),
        (Feature((), "float32"), [2**24, 0.5, np.nan]),
        (Feature((), "float16"), [0.5, np.inf]),
        (Feature((), "bool"), [True, 0]),
        (Feature((2,), "int64"), [[2**63 - 1, -(2**63)]]),
        (Feature((2,), "uint16", "raw"), np.array([[1, 2]], ">i2")),
        (Feature((2,), "float64", "raw"), [[1e300, 2**53]]),
    ],
    ids=str,
)
def test_values_that_a_type_holds_come_back_in_it(tmp_path, feature, values):
    write(tmp_path / "data", ({"a": value} for value in values), features={"a": feature})
    found = gather(read(tmp_path / "data", 2))["a"]
    assert found.dtype == feature.dtype
    np.testing.assert_array_equal(found, values)


def test_an_iterable_gives_the_same_files_as_arrays(tmp_path, folder, arrays):
    rows = ({name: array[i] for name, array in arrays.items()} for i in range(SIZE))
    assert write(tmp_path / "rows", rows, shard_size=20) == Manifest.load(folder)


def test_tuples_and_whole_batches_on_demand(folder):
    dataset = read(folder, 8, keys=("image", "label"), drop_remainder=True)
    assert len(dataset) == len(list(dataset)) == 6
    image, label = dataset.element_spec
    assert image.shape == (8, 6, 5)
    assert label.dtype == tf.uint8


def test_parallel_reads_are_the_same_every_time(folder):
    first, second = (labels_of(read(folder, 8, parallel_reads=3)) for _ in range(2))
    assert first == second
    assert first[:3] == [0, 20, 40]
    free = labels_of(read(folder, 8, parallel_reads=3, deterministic=False))
    assert sorted(first) == sorted(free) == list(range(SIZE))


def test_shuffling_deals_all_examples_in_a_new_order(folder):
    dataset = read(folder, 8, shuffle=SIZE, seed=0)
    first, second = labels_of(dataset), labels_of(dataset)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(SIZE))


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_verify_names_the_record_of_an_altered_byte(tmp_path, arrays, compression):
    folder = tmp_path / "data"
    write(folder, arrays, shard_size=20, compression=compression)
    path, record = shard(folder), list(read_records(shard(folder), compression))[7]
    content = path.read_bytes()
    path.write_bytes(flip(content, len(content) // 2 if compression else record.offset + 50))
    place = r"record \d+, at byte \d+" if compression else f"record 7, at byte {record.offset}: "
    with pytest.raises(FileFormatError, match=rf"00001-of-00003\.tfrecord.*{place}"):
        verify(folder)
    with pytest.raises(tf.errors.DataLossError):  # read leaves the bytes to TensorFlow
        list(read(folder, 8))


GOOD = frame(b"some data")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *((flip(GOOD, offset), "its length doesn't match") for offset in (0, 8)),
        *((flip(GOOD, offset), "its data doesn't match") for offset in (12, 24)),
        *((GOOD[:keep], "the file ends inside") for keep in (1, 11, 12, 15, 20, 24)),
    ],
)
def test_damage_is_found_in_every_part_of_a_frame(tmp_path, content, message):
    (tmp_path / "damaged").write_bytes(frame(b"first") + content)
    records = read_records(tmp_path / "damaged")
    assert next(records).data == b"first"
    with pytest.raises(FileFormatError, match=f"damaged: record 1, at byte 21: {message}"):
        next(records)


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("length", [2**28, 2**40, 2**62, 2**63])
def test_a_hostile_length_takes_no_memory_and_ends_no_process(
    tmp_path, arrays, compression, length
):
    """Sizes and sums are right; TensorFlow alone is ended by a signal at 2**62."""
    folder = tmp_path / "data"
    write(folder, arrays, shard_size=20, compression=compression)
    put(folder, head(length) + bytes(5_000))
    tracemalloc.start()
    with pytest.raises(FileFormatError, match=r"00001-of.*record 0, at byte 0: the file ends"):
        verify(folder)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    with pytest.raises(tf.errors.DataLossError if compression else FileFormatError):
        list(read(folder, 8))


@pytest.mark.parametrize("check", [verify, lambda folder: read(folder, 8)])
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_missing_and_truncated_shards_are_found_at_once(tmp_path, arrays, check, compression):
    folder = tmp_path / "data"
    write(folder, arrays, shard_size=20, compression=compression)
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
    for path, compression, message in [
        (folder / "gone", "", "gone: can't be read: No such file"),
        (folder, "", "data: can't be read: not a regular file"),
        (shard(folder), "LZ4", "compression='LZ4'"),
    ]:
        with pytest.raises(MnistError, match=message):
            next(read_records(path, compression))


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_verify_reads_every_record_that_the_manifest_vouches_for(tmp_path, arrays, compression):
    folder = tmp_path / "data"
    write(folder, {"label": arrays["label"]}, shard_size=25, compression=compression)
    records = [frame(record.data) for record in read_records(shard(folder), compression)]
    for content, message in [
        ([*records[:7], frame(b"no \xff example"), *records[8:]], "record 7, .*no example of"),
        (records[:24], "24 whole records, 25 were written"),
        ([*records[:24], flip(records[24], -1)], "record 24, .*its data doesn't match"),
    ]:
        put(folder, b"".join(content))
        with pytest.raises(MnistError, match=rf"00001-of-00002\.tfrecord.*{message}"):
            verify(folder)
    put(folder, b"".join(records))
    replace(Manifest.load(folder), features={"label": Feature((), "float32")}).save(folder)
    with pytest.raises(FileFormatError, match=r"00000-of.*record 0, .*no example of"):
        verify(folder)


def test_a_shard_in_anothers_place_is_refused(tmp_path, arrays):
    write(tmp_path / "data", {"label": arrays["label"]}, shard_size=25)
    shard(tmp_path / "data", 1).write_bytes(shard(tmp_path / "data", 0).read_bytes())
    with pytest.raises(ChecksumError, match=r"00001-of-00002.*it is another file"):
        verify(tmp_path / "data")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"features": {"image": Feature((28, 28), "uint8", "raw")}},
            r"'image' is .*\(6, 5\).*not .*\(28, 28\)",
        ),
        ({"keys": ("image", "digit")}, r"no features \['digit'\]: choose from"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"shuffle": -1}, "shuffle=-1"),
        ({"parallel_reads": 0}, "parallel_reads=0"),
    ],
)
def test_what_cannot_be_read_so_is_refused(folder, arguments, message):
    with pytest.raises(MnistError, match=message):
        read(folder, **{"batch_size": 8, **arguments})


def test_an_altered_manifest_is_refused(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"num_examples": 20', '"num_examples": 19'))
    with pytest.raises(ChecksumError, match=r"manifest\.json: was altered"):
        read(folder, 8)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("shards"),
        lambda content: content.update(shards=[]),
        lambda content: content.update(features={}),
        lambda content: content.update(format=2),
        lambda content: content.update(compression="BROTLI"),
        lambda content: content["shards"][0].update(name="../other"),
        lambda content: content["shards"][0].update(num_examples=0, num_bytes=0),
        lambda content: content["features"]["image"].update(encoding="jpeg"),
        lambda content: content["features"]["image"].update(dtype="foo"),
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


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(MnistError, match=r"manifest\.json: can't be read .*is it a dataset"):
        verify(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        *[((), "foo"), ((), ">i2"), ((), "float64"), ((0,), "uint8"), ([2], "uint8")],
        *[((2,), "uint32", "raw"), ((2,), "longdouble", "raw"), ((2, 2), "uint8", "png")],
    ],
    ids=str,
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
        ([{"a": [1]}, {"a": [[1], [1, 2]]}], {}, "example 1: 'a' is no array"),
        ([{"a": "text"}], {}, "example 0: 'a' is no feature of"),
        ([{"a": 0.5}], {}, "example 0: 'a' is no feature of .* float64 as 'numbers'"),
        ([{"a": 1}, {"a": 1.0}], {}, "example 1: 'a' is float64, and int64 can't hold"),
        ([{"a": 256}], of_type("uint8"), "example 0: 'a' is int64, and uint8 can't hold"),
        ([{"a": -1}], of_type("uint8"), "example 0: 'a' is int64, and uint8 can't hold"),
        ([{"a": 1e300}], of_type("float32"), "example 0: 'a' is float64, and float32 can't"),
        ([{"a": 2**24 + 1}], of_type("float32"), "example 0: 'a' is int64, and float32 can't"),
        ([{"a": 0.1}], of_type("float32"), "example 0: 'a' is float64, and float32 can't"),
        ([{"a": "text"}], of_type("uint8"), "example 0: 'a' is <U4, and uint8 can't"),
        ([{"a": 1}], {"compression": "LZ4"}, "compression='LZ4'"),
        ([{"a": 1}], {"shard_size": 0}, "shard_size=0"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, examples, options, message):
    with pytest.raises(MnistError, match=message):
        write(tmp_path / "data", examples, **options)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource", reason="needs a POSIX system")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(MnistError, match="data: can't be written"):
            write(tmp_path / "data", {"a": np.zeros((8, 2**18), np.uint8)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_of_two_writers_to_one_folder_one_succeeds(tmp_path):
    """The second begins and ends while the first one is at work."""

    def overtaken():
        yield {"a": 1}
        write(tmp_path / "data", {"a": np.arange(5)})

    with pytest.raises(MnistError, match="data: another process wrote it in the meantime"):
        write(tmp_path / "data", overtaken())
    assert list(gather(read(tmp_path / "data", 8))["a"]) == list(range(5))
    with pytest.raises(MnistError, match="is there already"):
        write(tmp_path / "new" / ".." / "data", {"a": np.arange(3)})
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


WRITER = """
import os, signal
from mnistlib.tfrecord import write

def examples():
    for label in range(100):
        if label == 55:
            os.kill(os.getpid(), signal.SIGKILL)
        yield {"label": label}

write("data", examples(), shard_size=10)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a POSIX system")
def test_a_killed_writer_leaves_no_dataset(tmp_path):
    writer = subprocess.run([sys.executable, "-c", WRITER], cwd=tmp_path, capture_output=True)
    assert writer.returncode == -signal.SIGKILL, writer.stderr.decode()
    assert sum(path.is_file() for path in tmp_path.rglob("*")) >= 5  # five shards were full
    assert not (tmp_path / "data").exists()
    write(tmp_path / "data", ({"label": label} for label in range(100)))
    assert verify(tmp_path / "data").num_examples == 100
