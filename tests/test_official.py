"""Finding, verifying and downloading the official files."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from mirror import QUICK, mirror, write

from mnistlib import ChecksumError, DownloadError, MnistError
from mnistlib.data import official
from mnistlib.data.official import download_files, find_files

DEAD = "http://127.0.0.1:9/"
LABELS = "train-labels-idx1-ubyte.gz"


@pytest.mark.parametrize("packed", [True, False])
def test_a_complete_folder_needs_no_mirror_and_what_is_missing_or_other_is_named(
    tmp_path, contents, packed
):
    if not packed:
        contents = {name[:-3]: gzip.decompress(contents[name]) for name in contents}
    write(tmp_path, contents)
    assert sorted(path.name for path in find_files(tmp_path).values()) == sorted(contents)
    assert download_files(tmp_path, []) == download_files(tmp_path, [DEAD]) == []
    for name, content in contents.items():
        write(tmp_path, {**contents, name: content + b"\0"})
        with pytest.raises(ChecksumError, match=f"{name} is not the official MNIST file"):
            find_files(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(MnistError, match=f"{name}.* missing"):
            find_files(tmp_path)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, contents, make):
    write(tmp_path, contents)
    (tmp_path / LABELS).unlink()
    make(tmp_path / LABELS)
    with pytest.raises(MnistError, match=f"{LABELS}: can't be read"):
        find_files(tmp_path)
    with pytest.raises(DownloadError, match=f"{LABELS}: can't be read"):
        download_files(tmp_path, [])


def test_only_what_is_missing_or_damaged_is_downloaded(tmp_path, contents):
    write(tmp_path, {**contents, LABELS: b"damaged"})
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with mirror(contents, "wrong") as bad, mirror(contents, "labelled") as good:
        assert download_files(tmp_path, [bad.url, good.url], QUICK) == [good.url]
        assert bad.requests == {LABELS: 1}
        assert good.requests == {LABELS: 1, "t10k-labels-idx1-ubyte.gz": 1}
    find_files(tmp_path)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("wrong", "wrong SHA-256 sum"),
        ("half", "IncompleteRead|ended after"),
        ("503", "HTTP status 503"),
        ("204", "HTTP status 204"),
        ("302", "HTTP status 302"),
        ("304", "HTTP status 304"),
        ("garbage", "BadStatusLine|what"),
        ("hang", "no answer in time"),
        ("stop", "no answer in time"),
        ("drip", "too slow"),
        ("endless", "longer than the official"),
    ],
)
def test_a_bad_mirror_is_left_for_the_next_and_named_if_all_fail(
    tmp_path, contents, behaviour, reason
):
    with mirror(contents, behaviour) as bad:
        with pytest.raises(DownloadError, match=f"{re.escape(bad.url)}.*({reason})") as caught:
            download_files(tmp_path, [bad.url, DEAD], QUICK)
        assert bad.num_bytes < 10_000_000
    assert re.search(f"{DEAD}.*: no connection", str(caught.value))
    assert os.listdir(tmp_path) == []


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
        workers = [start_worker(tmp_path / "new" / "cache", server.url) for _ in range(4)]
        for worker in workers:
            _, errors = worker.communicate(timeout=60)
            assert worker.returncode == 0, errors.decode()
    assert sorted(os.listdir(tmp_path / "new" / "cache")) == sorted(contents)


def test_a_killed_download_leaves_nothing_that_is_trusted_or_stays(tmp_path, contents):
    with mirror(contents, "stop") as server:
        worker = start_worker(tmp_path, server.url)
        deadline = time.monotonic() + 30
        while not os.listdir(tmp_path):
            assert time.monotonic() < deadline, "the download never began"
            time.sleep(0.02)
        os.kill(worker.pid, signal.SIGKILL)
        worker.communicate()
    [left] = tmp_path.iterdir()
    assert left.name not in contents
    os.utime(left, (0, 0))
    with mirror(contents) as server:
        download_files(tmp_path, [server.url])
    assert sorted(os.listdir(tmp_path)) == sorted(contents)
