"""TensorFlow Datasets on the verified files, without a network."""

import gzip

import numpy as np
import pytest
import tensorflow_datasets as tfds

from mnistlib import MnistError
from mnistlib.data import load, locate, prepare_tfds


def sorted_examples(images, labels):
    rows = np.hstack([images.reshape(len(images), -1), labels.astype(np.uint8)[:, None]])
    return sorted(row.tobytes() for row in rows)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_examples_are_those_of_the_files(split):
    digits = prepare_tfds()
    images, labels = tfds.as_numpy(
        tfds.load(
            digits.name,
            data_dir=digits.data_dir,
            split=split,
            batch_size=-1,
            as_supervised=True,
            download=False,
        )
    )
    assert sorted_examples(images, labels) == sorted_examples(*getattr(load(), split))


def test_the_name_says_which_digits_they_are():
    name = {"MNIST": "mnist", "offline digits": "offline_digits"}[locate().name]
    digits = prepare_tfds()
    assert digits.name == name
    info = tfds.builder(digits.name, data_dir=digits.data_dir).info
    assert info.features["image"].shape == (28, 28, 1)
    assert info.features["label"].num_classes == 10
    assert info.supervised_keys == ("image", "label")


def test_a_wrong_folder_is_an_error_also_when_all_is_prepared(tmp_path, monkeypatch):
    prepare_tfds()
    monkeypatch.delenv("MNISTLIB_SOURCE", raising=False)
    monkeypatch.setenv("MNISTLIB_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(MnistError, match="no such folder"):
        prepare_tfds()


@pytest.mark.skipif(locate().name != "MNIST", reason="the official files are not here")
def test_unpacked_files_will_do_and_nothing_else_is_left(tmp_path, monkeypatch):
    for path in locate().paths.values():
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        (tmp_path / path.name.removesuffix(".gz")).write_bytes(content)
    monkeypatch.setenv("MNISTLIB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path / "cache"))
    digits = prepare_tfds()
    info = tfds.builder(digits.name, data_dir=digits.data_dir).info
    assert {name: split.num_examples for name, split in info.splits.items()} == {
        "train": 60_000,
        "test": 10_000,
    }
    [folder] = (tmp_path / "cache" / "tfds").iterdir()
    assert [path.name for path in folder.iterdir()] == ["mnist"]
