"""Which digits are used: folder, cache, mirrors, and at last the offline digits."""

import warnings

import numpy as np
import pytest
from mirror import QUICK, mirror, write

from mnistlib import DownloadError, MnistError
from mnistlib.data import OfflineDigitsWarning, load, locate, official, offline, write_idx
from mnistlib.data import __main__ as command

LABELS = "train-labels-idx1-ubyte.gz"


def use_mirror(monkeypatch, server):
    monkeypatch.setattr(official.download_files, "__defaults__", ((server.url,), QUICK))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MNISTLIB_DATA_DIR", "/dev/null/nowhere", "/dev/null/nowhere: can't be read"),
        ("MNISTLIB_DATA_DIR", "~nobody-of-this-name", "~nobody-of-this-name: can't be read"),
        ("MNISTLIB_SOURCE", "fashion", "MNISTLIB_SOURCE is 'fashion'"),
    ],
)
def test_a_wrong_setting_is_an_error_and_no_fallback(cached, monkeypatch, name, value, problem):
    assert locate().origin == f"{cached} (cache)"
    monkeypatch.setenv(name, value)
    with pytest.raises(MnistError, match=problem):
        locate()


def test_what_another_process_has_just_downloaded_is_from_the_cache(
    contents, no_data_dir, monkeypatch
):
    monkeypatch.setattr(official, "download_files", lambda folder: write(folder, contents) or [])
    assert locate().origin == f"{no_data_dir} (cache)"


def test_where_mnist_is_demanded_the_error_says_what_is_wrong_and_mirrors_are_asked_once(
    contents, cached, monkeypatch
):
    write(cached, {LABELS: b"damaged"})
    monkeypatch.setenv("MNISTLIB_SOURCE", "mnist")
    with mirror(contents, "503") as server:
        use_mirror(monkeypatch, server)
        for _ in range(2):
            with pytest.raises(DownloadError, match="set MNISTLIB_DATA_DIR") as caught:
                locate()
            assert f"{cached / LABELS} is not the official MNIST file" in str(caught.value)
            assert "HTTP status 503" in str(caught.value)
        assert server.requests == {LABELS: 1}
    write(cached, contents)
    assert locate().name == "MNIST"


def test_offline_digits_take_the_place_of_mnist_and_say_so_once(contents, no_data_dir, monkeypatch):
    with mirror(contents, "hang") as hanging:
        use_mirror(monkeypatch, hanging)
        with pytest.warns(OfflineDigitsWarning, match=r"no answer in time[\s\S]*not MNIST"):
            mnist = load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load()
    assert str(mnist.source) == "offline digits from mnistlib's own drawing"


def test_offline_digits_can_be_forced_and_are_drawn_once_and_again_if_a_file_is_not_as_drawn(
    cached, monkeypatch
):
    monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = load()
    with monkeypatch.context() as patch:
        patch.setattr(offline, "draw", lambda _: pytest.fail("drawn twice"))
        paths = locate().paths
    write_idx(paths["test_labels"], np.full(10, 200, np.uint8))
    after = load()
    np.testing.assert_array_equal(after.test.labels, before.test.labels)
    np.testing.assert_array_equal(after.train.images, before.train.images)


def test_a_full_disk_or_a_cache_that_cannot_be_written_is_named(
    tmp_path, no_data_dir, monkeypatch, full_disk
):
    monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
    with full_disk(10_000), pytest.raises(MnistError, match=r"train-images.*too large"):
        locate()
    assert [path.name for path in no_data_dir.parent.rglob("*")] == ["offline-digits"]
    (tmp_path / "file").touch()
    monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(MnistError, match=r"file.* can't be written.*set MNISTLIB_CACHE_DIR"):
        locate()


@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_the_command_says_what_load_would_do_and_downloads_only_if_asked(
    contents, no_data_dir, capsys, monkeypatch, source
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
    assert command.main([]) == 0
    downloaded, found = capsys.readouterr().out.split("source: ")[1:]
    assert downloaded == found
    assert found.startswith(f"MNIST from {no_data_dir} (cache)\n")
    assert "verified" in found


def test_offline_digits_are_not_called_verified_nor_drawn(no_data_dir, capsys, monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "offline")
    assert command.main([]) == 0
    printed = capsys.readouterr().out
    assert "source: offline digits" in printed
    assert "not MNIST" in printed
    assert "verified" not in printed
    assert not no_data_dir.parent.exists()
