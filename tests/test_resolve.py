"""Which digits are used: folder, cache, mirrors, and at last the offline digits."""

import warnings

import numpy as np
import pytest
from mirror import QUICK, mirror, write

from mnistlib import DownloadError, MnistError
from mnistlib.data import OfflineDigitsWarning, load, locate, official, read_idx, resolve
from mnistlib.data import __main__ as command


@pytest.fixture(autouse=True)
def auto(monkeypatch):
    monkeypatch.delenv("MNISTLIB_SOURCE", raising=False)


def test_a_bad_data_dir_is_an_error_and_no_fallback(tmp_path, contents, no_data_dir, monkeypatch):
    write(no_data_dir, contents)
    assert locate().origin.endswith("(cache)")
    monkeypatch.setenv("MNISTLIB_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(MnistError, match="no such folder"):
        locate()


def test_the_cache_is_verified_and_mended(contents, no_data_dir, monkeypatch):
    name = "train-labels-idx1-ubyte.gz"
    write(no_data_dir, {**contents, name: b"damaged"})
    with mirror(contents) as server:
        monkeypatch.setattr(official.download_files, "__defaults__", ((server.url,), QUICK))
        assert locate().origin == f"{server.url} (downloaded)"
        assert server.requests == {name: 1}
    assert locate().origin.endswith("(cache)")


def test_where_mnist_is_demanded_the_error_says_how_to_get_it(no_data_dir, monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "mnist")
    with pytest.raises(DownloadError, match="set MNISTLIB_DATA_DIR"):
        locate()


def test_an_unknown_source_is_refused(monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "fashion")
    with pytest.raises(MnistError, match="MNISTLIB_SOURCE is 'fashion'"):
        load()


def test_a_home_of_nobody_is_an_error_like_any_other(monkeypatch):
    monkeypatch.setenv("MNISTLIB_DATA_DIR", "~nobody-of-this-name/mnist")
    with pytest.raises(MnistError, match="no such folder"):
        locate()


class TestOfflineDigits:
    """Without any file and any network."""

    @pytest.fixture(autouse=True)
    def forget_the_warning(self):
        resolve._warn.cache_clear()

    def test_they_take_the_place_of_mnist_and_say_so_once(self, no_data_dir):
        with pytest.warns(OfflineDigitsWarning, match="not MNIST"):
            mnist = load()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load()
        assert mnist.source.name == "offline digits"
        assert "offline digits" in str(mnist.source)

    def test_a_slow_network_does_not_hold_them_up(self, contents, no_data_dir, monkeypatch):
        with mirror(contents, "hang") as hanging:
            mirrors = (hanging.url, hanging.url)
            monkeypatch.setattr(official.download_files, "__defaults__", (mirrors, QUICK))
            with pytest.warns(OfflineDigitsWarning, match="no answer in time"):
                assert locate().name == "offline digits"

    def test_they_can_be_forced_and_then_nothing_is_warned_of(
        self, contents, no_data_dir, monkeypatch
    ):
        write(no_data_dir, contents)
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        assert locate().name == "offline digits"

    def test_a_bad_data_dir_is_still_an_error(self, no_data_dir, monkeypatch, tmp_path):
        monkeypatch.setenv("MNISTLIB_DATA_DIR", str(tmp_path / "nowhere"))
        with pytest.raises(MnistError, match="no such folder"):
            locate()

    def test_a_cache_that_cannot_be_written_is_named(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path / "file" / "cache"))
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        with pytest.raises(MnistError, match="can't be written"):
            locate()

    def test_the_files_are_in_the_official_format(self, no_data_dir, monkeypatch):
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        first, second = locate().paths, locate().paths
        assert first == second
        assert list(first) == ["train_images", "train_labels", "test_images", "test_labels"]
        assert read_idx(first["train_images"]).shape == (60_000, 28, 28)
        assert np.bincount(read_idx(first["test_labels"])).sum() == 10_000


class TestCommand:
    @pytest.fixture(autouse=True)
    def mnist_or_nothing(self, monkeypatch):
        monkeypatch.setenv("MNISTLIB_SOURCE", "mnist")

    def test_it_verifies_and_names_the_source(self, contents, no_data_dir, capsys):
        write(no_data_dir, contents)
        assert command.main([]) == 0
        printed = capsys.readouterr().out
        assert f"source: MNIST from {no_data_dir} (cache)" in printed
        assert "verified" in printed

    def test_it_downloads_only_if_asked(self, contents, no_data_dir, capsys, monkeypatch):
        with mirror(contents) as server:
            monkeypatch.setattr(official.download_files, "__defaults__", ((server.url,), QUICK))
            assert command.main([]) == 1
            assert "--download gets them" in capsys.readouterr().err
            assert not server.requests
            assert command.main(["--download"]) == 0
            assert server.url in capsys.readouterr().out

    def test_it_fails_in_one_message(self, no_data_dir, capsys):
        assert command.main(["--download"]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "set MNISTLIB_DATA_DIR" in printed.err

    def test_offline_digits_are_not_called_verified(self, no_data_dir, capsys, monkeypatch):
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        assert command.main([]) == 0
        printed = capsys.readouterr().out
        assert "source: offline digits" in printed
        assert "not MNIST" in printed
        assert "verified" not in printed

    def test_a_wrong_folder_is_not_mended_by_a_download(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("MNISTLIB_DATA_DIR", str(tmp_path / "nowhere"))
        assert command.main([]) == 1
        assert "--download" not in capsys.readouterr().err
