"""Finding, verifying and downloading the official files."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from mirror import mirror, small_files

from mnistlib import ChecksumError, DownloadError, MnistError
from mnistlib.data import __main__ as command
from mnistlib.data import load, official
from mnistlib.data.official import download_files, find_files, locate

QUICK = (1.0, 1.0)


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


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_registry_holds_the_real_files():
    """The tests' digits are the official ones: four names, four sums."""
    paths = locate().paths
    assert list(paths) == ["train_images", "train_labels", "test_images", "test_labels"]


@pytest.mark.parametrize("packed", [True, False])
def test_files_are_found_packed_or_unpacked(tmp_path, contents, packed):
    if not packed:
        contents = {n.removesuffix(".gz"): gzip.decompress(c) for n, c in contents.items()}
    write(tmp_path, contents)
    assert sorted(path.name for path in find_files(tmp_path).values()) == sorted(contents)


def test_a_missing_file_is_named(tmp_path, contents):
    write(tmp_path, contents)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MnistError, match=r"neither t10k-labels-idx1-ubyte\.gz nor"):
        find_files(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
def test_another_file_under_the_same_name_is_refused(tmp_path, contents, packed):
    if not packed:
        contents = {n.removesuffix(".gz"): gzip.decompress(c) for n, c in contents.items()}
    name = next(iter(contents))
    write(tmp_path, {**contents, name: contents[name] + b"\0"})
    with pytest.raises(ChecksumError, match=f"{name} is not the official MNIST file"):
        find_files(tmp_path)


def test_a_bad_data_dir_is_an_error_and_no_fallback(tmp_path, contents, no_data_dir, monkeypatch):
    write(no_data_dir, contents)
    assert locate().origin.endswith("(cache)")
    monkeypatch.setenv("MNISTLIB_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(MnistError, match="no such folder"):
        locate()


def test_the_cache_is_verified_and_mended(contents, no_data_dir):
    name = "train-labels-idx1-ubyte.gz"
    write(no_data_dir, {**contents, name: b"damaged"})
    with mirror(contents) as server:
        download_files(no_data_dir, [server.url], QUICK)
        assert server.requests == {name: 1}
    assert locate().origin.endswith("(cache)")


def test_without_files_the_error_says_how_to_get_them(no_data_dir):
    with pytest.raises(DownloadError, match="set MNISTLIB_DATA_DIR"):
        locate()


def test_an_unknown_source_is_refused(monkeypatch):
    monkeypatch.setenv("MNISTLIB_SOURCE", "fashion")
    with pytest.raises(MnistError, match="MNISTLIB_SOURCE is 'fashion'"):
        load()


def test_a_download_is_verified_and_complete(tmp_path, contents):
    with mirror(contents) as server:
        assert download_files(tmp_path / "new" / "folder", [server.url]) == [server.url]
    assert names(tmp_path / "new" / "folder") == sorted(contents)
    find_files(tmp_path / "new" / "folder")


@pytest.mark.parametrize("behaviour", ["wrong", "half", "error", "hang"])
def test_a_bad_mirror_is_left_for_the_next(tmp_path, contents, behaviour):
    with mirror(contents, behaviour) as bad, mirror(contents) as good:
        used = download_files(tmp_path, [bad.url, good.url], QUICK)
        assert sum(bad.requests.values()) == 1
    assert used == [good.url]
    assert names(tmp_path) == sorted(contents)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("wrong", "wrong SHA-256 sum"),
        ("half", "no connection|broken|IncompleteRead"),
        ("error", "HTTP status 503"),
        ("hang", "no answer in time"),
    ],
)
def test_when_all_mirrors_fail_nothing_is_left_and_each_is_named(
    tmp_path, contents, behaviour, reason
):
    with mirror(contents, behaviour) as bad:
        with pytest.raises(DownloadError, match=reason) as caught:
            download_files(tmp_path, [bad.url, "http://127.0.0.1:9/"], QUICK)
        assert bad.url in str(caught.value)
    assert "http://127.0.0.1:9/" in str(caught.value)
    assert names(tmp_path) == []


WORKER = """
import json, pathlib, sys
from mnistlib.data import official
folder, url, files = sys.argv[1:]
official.OFFICIAL_FILES = {
    key: official.OfficialFile(*file) for key, file in json.loads(files).items()
}
official.download_files(pathlib.Path(folder), [url])
official.find_files(pathlib.Path(folder))
"""


def start_worker(folder, url):
    arguments = [str(folder), url, json.dumps(official.OFFICIAL_FILES)]
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], stderr=subprocess.PIPE)


def test_four_processes_at_once(tmp_path, contents):
    with mirror(contents) as server:
        workers = [start_worker(tmp_path / "cache", server.url) for _ in range(4)]
        for worker in workers:
            _, errors = worker.communicate(timeout=60)
            assert worker.returncode == 0, errors.decode()
    assert names(tmp_path / "cache") == sorted(contents)


def test_a_killed_download_leaves_nothing_that_is_trusted(tmp_path, contents):
    with mirror(contents, "slow") as server:
        worker = start_worker(tmp_path, server.url)
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size for path in tmp_path.iterdir()):
            assert time.monotonic() < deadline, "the download never began"
            time.sleep(0.02)
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
    assert not set(names(tmp_path)) & set(contents)
    with mirror(contents) as server:
        download_files(tmp_path, [server.url])
    find_files(tmp_path)


def test_an_unwritable_cache_is_named(tmp_path, contents):
    (tmp_path / "file").write_bytes(b"")
    with mirror(contents) as server, pytest.raises(DownloadError, match="can't be written"):
        download_files(tmp_path / "file" / "cache", [server.url])


class TestCommand:
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
