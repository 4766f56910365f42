"""Which digits are used: folder, cache, mirrors, and at last the offline digits."""

import warnings

import numpy as np
import pytest
from mirror import QUICK, mirror, write

from mnistlib import DownloadError, MnistError
from mnistlib.data import OfflineDigitsWarning, load, locate, official, write_idx
from mnistlib.data import __main__ as command
from mnistlib.data.offline import cache

LABELS = "train-labels-idx1-ubyte.gz"


def use_mirror(monkeypatch, server):
    monkeypatch.setattr(official.download_files, "__defaults__", ((server.url,), QUICK))


@pytest.mark.parametrize("data_dir", ["/dev/null/nowhere", "~nobody-of-this-name/mnist"])
def test_a_bad_data_dir_is_an_error_and_no_fallback(contents, no_data_dir, monkeypatch, data_dir):
    write(no_data_dir, contents)
    assert locate().origin == f"{no_data_dir} (cache)"
    monkeypatch.setenv("MNISTLIB_DATA_DIR", data_dir)
    with pytest.raises(MnistError, match=f"{data_dir}: can't be read"):
        locate()


def test_the_cache_is_verified_and_mended(contents, no_data_dir, monkeypatch):
    write(no_data_dir, {**contents, LABELS: b"damaged"})
    with mirror(contents) as server:
        use_mirror(monkeypatch, server)
        assert locate().origin == f"{server.url} (downloaded)"
        assert server.requests == {LABELS: 1}
    assert locate().origin == f"{no_data_dir} (cache)"


def test_what_another_process_has_just_downloaded_is_from_the_cache(
    contents, no_data_dir, monkeypatch
):
    monkeypatch.setattr(official, "download_files", lambda folder: write(folder, contents) or [])
    assert locate().origin == f"{no_data_dir} (cache)"


def test_where_mnist_is_demanded_the_error_says_what_is_wrong_and_what_to_do(
    contents, no_data_dir, monkeypatch
):
    write(no_data_dir, {**contents, LABELS: b"damaged"})
    monkeypatch.setenv("MNISTLIB_SOURCE", "mnist")
    with pytest.raises(DownloadError, match="set MNISTLIB_DATA_DIR") as caught:
        locate()
    assert f"{no_data_dir / LABELS} is not the official MNIST file" in str(caught.value)


def test_a_process_asks_mirrors_that_fail_once(contents, no_data_dir, monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "mnist")
    with mirror(contents, "503") as server:
        use_mirror(monkeypatch, server)
        for _ in range(2):
            with pytest.raises(DownloadError, match="HTTP status 503"):
                locate()
        assert server.requests.total() == 1
    write(no_data_dir, contents)
    assert locate().name == "MNIST"


def test_an_unknown_source_is_refused(monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "fashion")
    with pytest.raises(MnistError, match="MNISTLIB_SOURCE is 'fashion'"):
        load()


class TestOfflineDigits:
    """Without any file and any network."""

    def test_they_take_the_place_of_mnist_and_say_so_once(self, no_data_dir):
        with pytest.warns(OfflineDigitsWarning, match="not MNIST"):
            mnist = load()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load()
        assert str(mnist.source) == "offline digits from mnistlib's own drawing"

    def test_a_slow_network_does_not_hold_them_up(self, contents, no_data_dir, monkeypatch):
        with mirror(contents, "hang") as hanging:
            use_mirror(monkeypatch, hanging)
            with pytest.warns(OfflineDigitsWarning, match="no answer in time"):
                assert locate().name == "offline digits"

    @pytest.mark.parametrize("folder", ["file", "file/cache"])
    def test_a_cache_that_cannot_be_written_is_named(
        self, tmp_path, no_data_dir, monkeypatch, folder
    ):
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path / folder))
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        with pytest.raises(MnistError, match=r"file.* can't be written.*set MNISTLIB_CACHE_DIR"):
            locate()

    def test_a_full_disk_is_named_and_nothing_stays(self, no_data_dir, monkeypatch, full_disk):
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        with full_disk(10_000), pytest.raises(MnistError, match=r"train-images.*too large"):
            locate()
        assert [path.name for path in no_data_dir.parent.rglob("*")] == ["offline-digits"]

    def test_they_can_be_forced_and_are_drawn_once_and_again_if_a_file_is_not_as_drawn(
        self, contents, no_data_dir, monkeypatch
    ):
        write(no_data_dir, contents)
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            before = load()
        with monkeypatch.context() as patch:
            patch.setattr(cache, "draw", lambda _: pytest.fail("drawn twice"))
            paths = locate().paths
        write_idx(paths["test_labels"], np.full(10, 200, np.uint8))
        after = load()
        np.testing.assert_array_equal(after.test.labels, before.test.labels)
        np.testing.assert_array_equal(after.train.images, before.train.images)


class TestCommand:
    def test_it_verifies_and_names_the_source(self, contents, no_data_dir, capsys):
        write(no_data_dir, contents)
        assert command.main([]) == 0
        printed = capsys.readouterr().out
        assert f"source: MNIST from {no_data_dir} (cache)" in printed
        assert "verified" in printed

    @pytest.mark.parametrize("source", ["auto", "mnist"])
    def test_it_says_what_load_would_do_and_downloads_only_if_asked(
        self, contents, no_data_dir, capsys, monkeypatch, source
    ):
        monkeypatch.setenv("MNISTLIB_SOURCE", source)
        with mirror(contents) as server:
            use_mirror(monkeypatch, server)
            assert command.main([]) == 1
            printed = capsys.readouterr().err
            assert "load() would download MNIST" in printed
            assert ("offline digits" in printed) == (source == "auto")
            assert not server.requests
            assert not no_data_dir.parent.exists()
            assert command.main(["--download"]) == 0
            assert f"source: MNIST from {no_data_dir} (cache)" in capsys.readouterr().out

    def test_it_fails_in_one_message(self, no_data_dir, capsys):
        assert command.main(["--download"]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "set MNISTLIB_DATA_DIR" in printed.err
        assert not no_data_dir.parent.exists()

    def test_offline_digits_are_not_called_verified_nor_drawn(
        self, no_data_dir, capsys, monkeypatch
    ):
        monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
        assert command.main([]) == 0
        printed = capsys.readouterr().out
        assert "source: offline digits" in printed
        assert "not MNIST" in printed
        assert "verified" not in printed
        assert not no_data_dir.parent.exists()

    def test_a_wrong_folder_is_not_mended_by_a_download(self, tmp_path, capsys, monkeypatch):
        monkeypatch.delenv("MNISTLIB_SOURCE", raising=False)
        monkeypatch.setenv("MNISTLIB_DATA_DIR", str(tmp_path / "nowhere"))
        assert command.main([]) == 1
        assert "--download" not in capsys.readouterr().err
