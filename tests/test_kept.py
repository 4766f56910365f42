"""Files that are made once and kept: used only as they were made, made anew otherwise."""

import os
import shutil

import pytest

from mnistlib import MnistError
from mnistlib.data.kept import SUMS, is_intact, make_once


def make(scratch):
    (scratch / "inner").mkdir()
    (scratch / "inner" / "file").write_bytes(b"as made")
    (scratch / "other").write_bytes(b"")


@pytest.fixture
def kept(tmp_path):
    make_once(tmp_path / "kept", make)
    return tmp_path / "kept"


DAMAGES = {
    "a flipped bit": lambda kept: (kept / "inner" / "file").write_bytes(b"as mads"),
    "a folder gone": lambda kept: shutil.rmtree(kept / "inner"),
    "a FIFO": lambda kept: ((kept / "other").unlink(), os.mkfifo(kept / "other")),
    "no sums": lambda kept: (kept / SUMS).unlink(),
    "empty sums": lambda kept: (kept / SUMS).write_bytes(b"{}"),
    "cut sums": lambda kept: (kept / SUMS).write_bytes(b'{"other": "'),
    "other sums": lambda kept: (kept / SUMS).write_bytes(b'["other"]'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_not_as_it_was_made_is_made_anew(kept, damage):
    make_once(kept, lambda _: pytest.fail("they are intact"))
    sums = (kept / SUMS).read_bytes()
    damage(kept)
    make_once(kept, make)
    assert is_intact(kept)
    assert (kept / SUMS).read_bytes() == sums
    assert (kept / "inner" / "file").read_bytes() == b"as made"
    files = {path for path in kept.parent.rglob("*") if path.is_file()}
    assert files == {kept / "inner" / "file", kept / "other", kept / SUMS}


def test_a_run_that_fails_or_is_overtaken_leaves_what_is_good(kept):
    def fail(scratch):
        make(scratch)
        (scratch / "nowhere" / "file").touch()

    (kept / "other").unlink()
    with pytest.raises(MnistError, match="kept: can't be written"):
        make_once(kept, fail)
    assert not is_intact(kept)

    def overtaken(scratch):
        make_once(kept, make)
        opened.append((kept / "inner" / "file").open("rb"))
        make(scratch)

    opened = []
    make_once(kept, overtaken)
    assert is_intact(kept)
    with opened[0] as file:
        assert file.read() == b"as made"
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
