"""TFRecord files against TensorFlow's own, there and back, and damaged in every way."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from mnistlib import ChecksumError, FileFormatError, MnistError
from mnistlib.tfrecord import (
    Feature,
    Manifest,
    crc32c,
    frame,
    read,
    read_records,
    verify,
    write,
    write_image_folder,
)
from mnistlib.tfrecord.__main__ import main
from mnistlib.tfrecord.schema import png_shape

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


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


# RFC 3720, appendix B.4.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_sums_are_those_of_the_rfc(data, expected):
    assert crc32c(data) == expected


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
@pytest.mark.parametrize("shard_size", [None, 1, 20, SIZE])
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


def test_tensorflow_reads_it_without_the_library(folder, arrays):
    dataset = tf.data.TFRecordDataset([str(shard(folder, i)) for i in range(3)])
    spec = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    examples = [tf.io.parse_single_example(record, spec) for record in dataset]
    assert [int(example["label"]) for example in examples] == list(range(SIZE))
    images = [np.frombuffer(example["image"].numpy(), np.uint8) for example in examples]
    np.testing.assert_array_equal(np.reshape(images, (SIZE, 6, 5)), arrays["image"])


def test_an_iterable_gives_the_same_files_as_arrays(tmp_path, folder, arrays):
    rows = ({name: array[i] for name, array in arrays.items()} for i in range(SIZE))
    assert write(tmp_path / "rows", rows, shard_size=20) == Manifest.load(folder)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3)])
def test_png_gives_the_pixels_back(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, (9, *shape), np.uint8)
    features = {"image": Feature(shape, "uint8", "png")}
    write(tmp_path / "data", {"image": images}, features=features)
    np.testing.assert_array_equal(gather(read(tmp_path / "data", 4))["image"], images)


def test_integers_that_fit_are_stored_in_a_smaller_type(tmp_path):
    rows = ({"a": number} for number in (0, 7, 255))
    write(tmp_path / "data", rows, features={"a": Feature((), "uint8")})
    found = gather(read(tmp_path / "data", 2))["a"]
    assert found.dtype == np.uint8
    assert list(found) == [0, 7, 255]


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
@pytest.mark.parametrize("check", [verify, lambda folder: read(folder, 8)])
def test_an_altered_byte_is_named(tmp_path, arrays, check, compression):
    folder = tmp_path / "data"
    write(folder, arrays, shard_size=20, compression=compression)
    record = list(read_records(shard(folder), compression))[7]
    size = shard(folder).stat().st_size
    flip(shard(folder), size // 2 if compression else record.offset + 50)
    place = r"record \d+, at byte \d+" if compression else f"record 7, at byte {record.offset}: "
    with pytest.raises(FileFormatError, match=rf"00001-of-00003\.tfrecord.*{place}"):
        check(folder)


@pytest.mark.parametrize(
    ("offset", "what"), [(0, "length"), (8, "length"), (12, "data"), (-1, "data")]
)
def test_damage_is_found_in_every_part_of_a_frame(tmp_path, offset, what):
    path = tmp_path / "one"
    path.write_bytes(frame(b"some data"))
    flip(path, offset)
    with pytest.raises(FileFormatError, match=f"record 0, at byte 0: its {what} doesn't match"):
        list(read_records(path))


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_a_truncated_file_is_named_without_its_sum(tmp_path, arrays, compression):
    folder = tmp_path / "data"
    write(folder, arrays, shard_size=20, compression=compression)
    path = shard(folder)
    os.truncate(path, path.stat().st_size - 5)
    with pytest.raises(FileFormatError, match=r"00001-of.*record \d+, at byte \d+: .*end"):
        read(folder, 8, check_sums=False)


@pytest.mark.parametrize("keep", [1, 11, 12, 15, 20, 24])
def test_a_file_cut_anywhere_is_refused(tmp_path, keep):
    path = tmp_path / "cut"
    path.write_bytes(frame(b"first") + frame(b"some data")[:keep])
    records = read_records(path)
    assert next(records).data == b"first"
    with pytest.raises(FileFormatError, match="record 1, at byte 21: the file ends inside"):
        next(records)


def test_a_file_cut_between_records_is_refused(folder):
    os.truncate(shard(folder), list(read_records(shard(folder)))[5].offset)
    with pytest.raises(ChecksumError, match=r"00001-of.*5 whole records, 20 were written"):
        read(folder, 8, check_sums=False)


def test_a_missing_shard_is_named(folder):
    shard(folder).unlink()
    with pytest.raises(MnistError, match=r"00001-of-00003\.tfrecord: is missing"):
        read(folder, 8)


def test_swapped_shards_are_refused(tmp_path, arrays):
    write(tmp_path / "data", {"label": arrays["label"]}, shard_size=25)
    first, second = (shard(tmp_path / "data", i) for i in range(2))
    contents = second.read_bytes(), first.read_bytes()
    first.write_bytes(contents[0])
    second.write_bytes(contents[1])
    with pytest.raises(ChecksumError, match=r"00000-of-00002.*it is another file"):
        read(tmp_path / "data", 8)


def test_without_sums_tensorflow_notices(folder):
    flip(shard(folder), -1)
    dataset = read(folder, 8, check_sums=False)
    with pytest.raises(tf.errors.DataLossError):
        list(dataset)


def test_a_schema_that_was_not_written_is_refused(folder):
    expected = {"image": Feature((28, 28), "uint8", "raw")}
    with pytest.raises(MnistError, match=r"'image' is .*\(6, 5\).*not .*\(28, 28\)"):
        read(folder, 8, features=expected)
    with pytest.raises(MnistError, match="no features \\['digit'\\]: choose from"):
        read(folder, 8, keys=("image", "digit"))


@pytest.mark.parametrize(
    ("feature", "problem"),
    [
        ({"lable": Feature((), "uint8")}, "no feature 'lable'"),
        ({"label": Feature((), "float32")}, "int64_list, not a float_list"),
        ({"label": Feature((2,), "uint8")}, "1 values, not 2"),
        ({"image": Feature((6, 4), "uint8", "raw")}, "30 bytes, not 24"),
    ],
)
def test_a_manifest_of_other_records_is_refused(folder, feature, problem):
    manifest = Manifest.load(folder)
    Manifest(feature, manifest.shards).save(folder)
    with pytest.raises(MnistError, match=rf"00000-of.*record 0, at byte 0: .*{problem}"):
        read(folder, 8)


def test_records_that_are_no_examples_are_refused(folder):
    path = shard(folder, 0)
    path.write_bytes(frame(b"no example") + path.read_bytes()[26:])
    with pytest.raises(MnistError, match=r"no tf\.train\.Example|record"):
        read(folder, 8, check_sums=False)


def edit(folder, change):
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_an_altered_manifest_is_refused(folder):
    edit(folder, lambda content: content["shards"][0].update(num_examples=19))
    with pytest.raises(ChecksumError, match=r"manifest\.json: was altered"):
        read(folder, 8)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("shards"),
        lambda content: content.update(format=2),
        lambda content: content.update(compression="BROTLI"),
        lambda content: content["shards"][0].update(name="../other"),
        lambda content: content["features"]["image"].update(encoding="jpeg"),
    ],
)
def test_what_is_no_manifest_is_refused(folder, change):
    edit(folder, change)
    with pytest.raises(FileFormatError, match=r"manifest\.json: no manifest"):
        verify(folder)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(MnistError, match=r"manifest\.json: can't be read .*is it a dataset"):
        verify(tmp_path)


@pytest.mark.parametrize(
    ("examples", "options", "message"),
    [
        ({"a": np.zeros(3), "b": np.zeros(2)}, {}, "different lengths: {'a': 3, 'b': 2}"),
        ([], {}, "no examples"),
        ([{"a": 1}, {"b": 1}], {}, "example 1 has"),
        ([{"a": 1}, {"a": [1, 2]}], {}, "example 1: 'a' is int64 of shape"),
        ([{"a": 1}, {"a": 1.5}], {}, "example 1: 'a' is float64"),
        ([{"a": 256}], {"features": {"a": Feature((), "uint8")}}, "example 0: 'a' is int64"),
        ([{"a": -1}], {"features": {"a": Feature((), "uint8")}}, "example 0: 'a' is int64"),
        ({"a": np.zeros(3)}, {}, "no feature of shape .* float64 as 'numbers'"),
        ([{"a": 1}], {"compression": "LZ4"}, "compression='LZ4'"),
        ([{"a": 1}], {"shard_size": 0}, "shard_size=0"),
    ],
)
def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, examples, options, message):
    with pytest.raises(MnistError, match=message):
        write(tmp_path / "data", examples, **options)
    assert not list(tmp_path.iterdir())


def test_data_that_is_there_is_not_replaced(folder, arrays):
    with pytest.raises(MnistError, match="is there already"):
        write(folder, arrays)


def test_a_killed_writer_leaves_no_dataset(tmp_path):
    program = """
        import sys
        from mnistlib.tfrecord import write

        def examples():
            for label in range(100):
                if label == 55:
                    print("now", flush=True)
                    sys.stdin.read()  # until it is killed
                yield {"label": label}

        write("data", examples(), shard_size=10)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as writer:
        assert writer.stdout.readline() == b"now\n"
        begun = [path for path in tmp_path.rglob("*") if path.is_file()]
        os.kill(writer.pid, signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    assert len(begun) >= 5  # five shards were full
    assert not (tmp_path / "data").exists()
    write(tmp_path / "data", ({"label": label} for label in range(100)))
    assert verify(tmp_path / "data").num_examples == 100


@pytest.fixture
def pictures(tmp_path):
    for label, name in enumerate(["dot", "empty", "full"]):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(4):
            picture = PIL.Image.fromarray(np.full((6, 5), 80 * label + i, np.uint8))
            picture.save(tmp_path / "pictures" / name / f"{i}.png")
    return tmp_path / "pictures"


def test_a_folder_of_pictures_becomes_a_dataset(tmp_path, pictures):
    manifest = write_image_folder(pictures, tmp_path / "data", shard_size=5)
    assert manifest.classes == ("dot", "empty", "full")
    assert manifest.features["image"].shape == (6, 5, 1)
    found = gather(read(tmp_path / "data", 4))
    assert sorted(found["image"][:, 0, 0, 0]) == sorted(
        [0, 1, 2, 3, 80, 81, 82, 83, *range(160, 164)]
    )
    np.testing.assert_array_equal(found["image"][:, 0, 0, 0] // 80, found["label"])
    assert list(found["label"]) != sorted(found["label"])


@pytest.mark.parametrize("damage", ["size", "content", "head"])
def test_a_picture_that_does_not_fit_is_named(tmp_path, pictures, damage):
    path = pictures / "empty" / "2.png"
    if damage == "size":
        PIL.Image.new("L", (5, 7)).save(path)
    else:
        path.write_bytes(path.read_bytes()[:40] if damage == "content" else b"GIF89a")
    with pytest.raises(MnistError, match=r"empty/2\.png"):
        write_image_folder(pictures, tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA", "RGBA"])
def test_the_head_of_a_png_file_tells_its_shape(tmp_path, mode):
    PIL.Image.new(mode, (5, 7)).save(tmp_path / "some.png")
    data = (tmp_path / "some.png").read_bytes()
    assert png_shape(data) == tf.io.decode_png(data).shape


def test_the_command_writes_and_verifies(tmp_path, pictures, capsys):
    folder = str(tmp_path / "data")
    assert main(["images", str(pictures), folder, "--shard-size", "5", "--gzip"]) == 0
    assert "data: 12 examples, 3 files" in capsys.readouterr().out
    assert main(["verify", folder]) == 0
    assert "classes: dot, empty, full" in capsys.readouterr().out
    path = Path(folder, "00002-of-00003.tfrecord.gz")
    os.truncate(path, 20)
    assert main(["verify", folder]) == 1
    assert "00002-of-00003.tfrecord.gz: record 0, at byte 0" in capsys.readouterr().err
