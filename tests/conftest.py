"""Digits: the environment's, small ones of the tests' own, and a machine that has none."""

import resource
from contextlib import contextmanager

import pytest
from mirror import QUICK, small_files

from mnistlib.data import load, official, resolve
from mnistlib.data.offline import cache


@pytest.fixture(scope="session")
def mnist():
    """The digits that the environment gives: what depends on them asks for this."""
    return load()


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
    monkeypatch.setattr(cache, "TRAIN_COUNTS", (6,) * 10)
    monkeypatch.setattr(cache, "TEST_COUNTS", (1,) * 10)
    resolve._warn.cache_clear()
    return tmp_path / "cache" / "mnist"


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
