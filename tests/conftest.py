"""Digits of the tests' own, and a machine that has no others."""

import pytest
from mirror import QUICK, small_files

from mnistlib.data import official


@pytest.fixture
def contents(tmp_path_factory, monkeypatch):
    """The bytes of small files that pass for the official ones in this test."""
    contents, files = small_files(tmp_path_factory.mktemp("small"))
    monkeypatch.setattr(official, "OFFICIAL_FILES", files)
    return contents


@pytest.fixture
def no_data_dir(tmp_path, monkeypatch):
    """An empty cache, no data folder and no mirror; returns the cache for the files."""
    monkeypatch.delenv("MNISTLIB_DATA_DIR", raising=False)
    monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(official.download_files, "__defaults__", ((), QUICK))
    return tmp_path / "cache" / "mnist"
