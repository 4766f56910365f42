"""The digits as arrays: what is in them, and how they are split."""

import subprocess
import sys

import numpy as np
import pytest

from mnistlib import MnistError
from mnistlib.data import Mnist, Source, Split, load_data


def test_the_digits_have_mnists_counts_and_all_ten_classes(mnist):
    for split, size in [(mnist.train, 60_000), (mnist.test, 10_000)]:
        assert len(split.images) == size
        assert set(np.unique(split.labels)) == set(range(10))


IMAGES, LABELS = np.zeros((10, 28, 28), np.uint8), np.arange(10, dtype=np.uint8)


@pytest.mark.parametrize(
    ("images", "labels", "problem"),
    [
        (IMAGES, LABELS + np.uint8(191), "label 9 is 200, not a digit"),
        (IMAGES, LABELS[:-1], r"labels are uint8 \(9,\) for 10 images"),
        (IMAGES, LABELS.astype(int), "labels are int64"),
        (IMAGES / 255, LABELS, "images are float64"),
        (IMAGES.reshape(10, 784), LABELS, r"images are uint8 \(10, 784\)"),
        (IMAGES[:0], LABELS[:0], "there are no images"),
    ],
)
def test_what_is_no_digits_is_refused_and_its_split_named(images, labels, problem):
    good, bad = Split(IMAGES, LABELS), Split(images, labels)
    for name, splits in {"train": (bad, good), "test": (good, bad)}.items():
        with pytest.raises(MnistError, match=f"some digits from here: {name} split: {problem}"):
            Mnist(*splits, Source("some digits", "here"))


def test_validation_is_the_end_of_the_training_set_and_both_have_images():
    images = np.tile(LABELS[:, None, None], (28, 28))
    digits = Mnist(Split(images, LABELS), Split(images, LABELS), Source("some digits", "here"))
    train, validation = digits.split_train(3)
    for split, labels in (train, range(7)), (validation, range(7, 10)):
        assert split.labels.tolist() == split.images[:, 0, 0].tolist() == list(labels)
    for size in (0, -1, 10):
        with pytest.raises(MnistError, match=f"num_validation is {size}"):
            digits.split_train(size)


def test_load_data_has_the_form_of_keras(mnist):
    for (images, labels), split in zip(load_data(), (mnist.train, mnist.test), strict=True):
        np.testing.assert_array_equal(images, split.images)
        np.testing.assert_array_equal(labels, split.labels)


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("mnistlib.data, mnistlib.results", {"tensorflow", "keras", "jax", "matplotlib"}),
        ("mnistlib.programs.with_jax, mnistlib.jax_mlp", {"tensorflow"}),
    ],
)
def test_no_other_framework_is_imported(modules, absent):
    code = f"import sys, {modules}; print({absent} & {{*sys.modules}})"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "set()", printed.stderr
