"""Finding, verifying and downloading the official files."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from mirror import QUICK, mirror, write

from mnistlib import ChecksumError, DownloadError, MnistError
from mnistlib.data import official
from mnistlib.data.official import download_files, find_files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("packed", [True, False])
def test_files_are_found_packed_or_unpacked(tmp_path, contents, packed):
    if not packed:
        contents = {n.removesuffix(".gz"): gzip.decompress(c) for n, c in contents.items()}
    write(tmp_path, contents)
    assert sorted(path.name for path in find_files(tmp_path).values()) == sorted(contents)


def test_a_missing_file_is_named(tmp_path, contents):
    write(tmp_path, contents)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MnistError, match=r"t10k-labels-idx1-ubyte\.gz and .* are missing"):
        find_files(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
def test_another_file_under_the_same_name_is_refused(tmp_path, contents, packed):
    if not packed:
        contents = {n.removesuffix(".gz"): gzip.decompress(c) for n, c in contents.items()}
    name = next(iter(contents))
    write(tmp_path, {**contents, name: contents[name] + b"\0"})
    with pytest.raises(ChecksumError, match=f"{name} is not the official MNIST file"):
        find_files(tmp_path)


def test_only_what_is_missing_or_damaged_is_downloaded(tmp_path, contents):
    name = "train-labels-idx1-ubyte.gz"
    write(tmp_path, {**contents, name: b"damaged"})
    with mirror(contents, "wrong") as bad, mirror(contents) as good:
        assert download_files(tmp_path, [bad.url, good.url], QUICK) == [good.url]
        assert bad.requests == good.requests == {name: 1}
    find_files(tmp_path)


def test_a_download_is_verified_and_complete(tmp_path, contents):
    with mirror(contents) as server:
        assert download_files(tmp_path / "new" / "folder", [server.url]) == [server.url]
    assert names(tmp_path / "new" / "folder") == sorted(contents)
    find_files(tmp_path / "new" / "folder")


@pytest.mark.parametrize("behaviour", ["wrong", "half", "error", "hang", "slow"])
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
        ("slow", "no answer in time"),
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
