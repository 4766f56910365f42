"""TensorFlow Datasets on the verified files, without a network."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from mnistlib import MnistError
from mnistlib.data import load, prepare_tfds
from mnistlib.data.kept import SUMS
from mnistlib.data.official import OFFICIAL_FILES


def examples(digits, split):
    options = {"data_dir": digits.data_dir, "batch_size": -1, "as_supervised": True}
    return sorted_rows(*tfds.as_numpy(tfds.load(digits.name, split=split, **options)))


def sorted_rows(images, labels):
    rows = np.hstack([images.reshape(len(images), -1), labels.astype(np.uint8)[:, None]])
    return sorted(row.tobytes() for row in rows)


def test_all_examples_of_the_real_digits_are_there(mnist):
    digits = prepare_tfds()
    for split in ("train", "test"):
        assert examples(digits, split) == sorted_rows(*getattr(mnist, split))


def test_the_known_sizes_and_sums_are_those_that_it_registers():
    infos = {info.filename: info for info in tfds.builder_cls("mnist").url_infos.values()}
    assert {name: (info.size, info.checksum) for name, info in infos.items()} == {
        file.name: (file.size, file.sha256) for file in OFFICIAL_FILES.values()
    }


@pytest.mark.parametrize("source", ["mnist", "offline"])
def test_a_dataset_says_what_it_is_and_is_kept_while_it_is_intact(cached, monkeypatch, source):
    monkeypatch.setenv("MNISTLIB_SOURCE", source)
    digits = prepare_tfds()
    assert digits.name == {"mnist": "mnist", "offline": "offline_digits"}[source]
    info = tfds.builder(digits.name, data_dir=digits.data_dir).info
    assert info.features["image"].shape == (28, 28, 1)
    assert info.features["label"].num_classes == 10
    assert info.supervised_keys == ("image", "label")
    for split in ("train", "test"):
        assert examples(digits, split) == sorted_rows(*getattr(load(), split))
    [folder] = (cached.parent / "tfds").iterdir()
    assert {path.name for path in folder.iterdir()} == {digits.name, SUMS}
    with monkeypatch.context() as patch:
        patch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", None)
        assert prepare_tfds() == digits
    [shard] = folder.rglob("*-train*")
    before = shard.read_bytes()
    shard.write_bytes(before[:-100] + bytes(100))
    assert prepare_tfds() == digits
    assert shard.read_bytes() == before


def test_a_full_disk_is_an_error_of_ours_and_nothing_stays(cached, full_disk):
    with full_disk(5_000), pytest.raises(MnistError, match=r"mnist-3.*File too large"):
        prepare_tfds()
    assert not list((cached.parent / "tfds").iterdir())
