"""Digits: the environment's, small ones of the tests' own, and a machine that has none."""

import os
import re
import resource
from contextlib import contextmanager

import pytest
from mirror import QUICK, small_files, write
from small_book import build

from mnistlib.data import load, official, offline, resolve

# Their modules' tests compute on "the device", whichever and however many there are.
ON_DEVICES = {"test_jax", "test_keras", "test_programs", "test_tf_softmax"}

# Let the CPU be as many devices to TensorFlow as XLA_FLAGS lets it be to JAX: here, before
# a test's module makes a tensor.
if count := re.search(r"device_count=(\d+)", os.environ.get("XLA_FLAGS", "")):
    import tensorflow as tf

    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * int(count[1])
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what depends on the digits or on devices, for tools/as_colab.py."""
    for item in items:
        if "mnist" in getattr(item, "fixturenames", ()):
            item.add_marker("digits")
        if item.path.stem in ON_DEVICES:
            item.add_marker("devices")


@pytest.fixture(autouse=True)
def exact_products(request):
    """Let no GPU round the factors of products to ten bits."""
    if request.path.stem not in ON_DEVICES:
        yield
        return
    import jax
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)
    with jax.default_matmul_precision("highest"):
        yield
    tf.config.experimental.enable_tensor_float_32_execution(True)


@pytest.fixture(scope="session")
def mnist():
    """The digits that the environment gives: what depends on them asks for this."""
    return load()


@pytest.fixture(scope="session")
def small_book(tmp_path_factory):
    """The folder of a small book that is built."""
    folder = tmp_path_factory.mktemp("book")
    build(folder)
    return folder


@pytest.fixture
def contents(tmp_path_factory, monkeypatch):
    """The bytes of small files that pass for the official ones in this test."""
    contents, files = small_files(tmp_path_factory.mktemp("small"))
    monkeypatch.setattr(official, "OFFICIAL_FILES", files)
    return contents


@pytest.fixture
def no_data_dir(tmp_path, monkeypatch):
    """An empty cache, no data folder, no mirror, few digits drawn; returns the cache for MNIST."""
    monkeypatch.delenv("MNISTLIB_DATA_DIR", raising=False)
    monkeypatch.delenv("MNISTLIB_SOURCE", raising=False)
    monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(official.download_files, "__defaults__", ((), QUICK))
    monkeypatch.setattr(offline, "TRAIN_COUNTS", (6,) * 10)
    monkeypatch.setattr(offline, "TEST_COUNTS", (1,) * 10)
    resolve._warn.cache_clear()
    return tmp_path / "cache" / "mnist"


@pytest.fixture
def cached(contents, no_data_dir):
    """The small files in the cache, and no other digits; returns their folder."""
    write(no_data_dir, contents)
    return no_data_dir


@pytest.fixture
def full_disk():
    """A context in which a file can't grow beyond so many bytes, as on a full disk."""

    @contextmanager
    def full_disk(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full_disk
