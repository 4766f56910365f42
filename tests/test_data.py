"""The digits as arrays: what is in them, and how they are split."""

import subprocess
import sys

import numpy as np
import pytest

from mnistlib import MnistError
from mnistlib.data import load, load_data


@pytest.fixture(scope="module")
def mnist():
    return load()


def test_shapes_and_types(mnist):
    for split, size in [(mnist.train, 60_000), (mnist.test, 10_000)]:
        assert split.images.shape == (size, 28, 28)
        assert split.labels.shape == (size,)
        assert split.images.dtype == split.labels.dtype == np.uint8
        assert set(np.unique(split.labels)) == set(range(10))


def test_the_source_says_what_and_from_where(mnist):
    assert mnist.source.name in ("MNIST", "offline digits")
    assert mnist.source.origin in str(mnist.source)


@pytest.mark.parametrize("size", [5_000, 10_000])
def test_validation_is_the_end_of_the_training_set(mnist, size):
    train, validation = mnist.split_train(size)
    assert len(train.labels) == 60_000 - size
    np.testing.assert_array_equal(validation.images, mnist.train.images[-size:])
    rejoined = np.concatenate([train.labels, validation.labels])
    np.testing.assert_array_equal(rejoined, mnist.train.labels)


@pytest.mark.parametrize("size", [0, -1, 60_000])
def test_a_split_that_leaves_nothing_is_refused(mnist, size):
    with pytest.raises(MnistError, match=f"num_validation is {size}"):
        mnist.split_train(size)


def test_load_data_has_the_form_of_keras(mnist):
    (x_train, y_train), (x_test, y_test) = load_data()
    np.testing.assert_array_equal(x_train, mnist.train.images)
    np.testing.assert_array_equal(y_train, mnist.train.labels)
    np.testing.assert_array_equal(x_test, mnist.test.images)
    np.testing.assert_array_equal(y_test, mnist.test.labels)


def test_the_data_module_imports_no_framework():
    code = (
        "import sys, mnistlib.data, mnistlib.results; "
        "print({'tensorflow', 'keras', 'jax', 'matplotlib'} & {*sys.modules})"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "set()", printed.stderr
