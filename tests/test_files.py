"""Files and folders that appear whole or not at all, and are used only as they were made."""

import os
import shutil
import stat

import pytest

from mnistlib import MnistError
from mnistlib.data.kept import SUMS, is_intact, make_once
from mnistlib.files import atomic_folder, atomic_write, cache_dir


def fill(path, content=b"whole"):
    with atomic_write(path) as file:
        file.write(content)


def test_a_file_appears_when_it_is_complete_and_one_that_fails_leaves_it(tmp_path):
    path = tmp_path / "new" / "file"
    with atomic_write(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    with pytest.raises(TypeError):
        fill(path, "not bytes")
    assert path.read_bytes() == b"half and half"
    assert os.listdir(path.parent) == ["file"]


def test_a_folder_appears_when_it_is_complete_and_one_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(TypeError), atomic_folder(tmp_path / "folder") as scratch:
        fill(scratch / "file", "not bytes")
    assert not os.listdir(tmp_path)
    with atomic_folder(tmp_path / "folder") as scratch:
        fill(scratch / "file")
        assert not (tmp_path / "folder").exists()
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["file"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_what_the_umask_leaves_and_then_stay(tmp_path, umask):
    before = os.umask(umask)
    try:
        fill(tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask
    (tmp_path / "file").chmod(0o600)
    fill(tmp_path / "file", b"again")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


IN_THE_WAY = {
    "a folder": lambda path: (path.mkdir(), fill(path / "theirs")),
    "an empty folder": lambda path: path.mkdir(),
    "a file": lambda path: path.write_bytes(b"theirs"),
    "a dead link": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("make", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_a_folder_takes_nobodys_place_however_its_path_is_written(tmp_path, make):
    path = tmp_path / "folder"
    with (
        pytest.raises(MnistError, match="folder: another process wrote it"),
        atomic_folder(path) as scratch,
    ):
        _ = fill(scratch / "ours"), make(path)
    for same in (path, tmp_path / "new" / ".." / "folder"):
        with pytest.raises(MnistError, match="folder: is there already"):
            atomic_folder(same).__enter__()
    assert os.listdir(tmp_path) == ["folder"]
    assert not (path / "ours").exists()


def test_what_killed_runs_left_is_removed_when_it_is_old_and_nothing_else(tmp_path):
    temporary = [f".mnistlib-{digit * 16}" for digit in "012"]
    old, living, new, *others = *temporary, ".mnistlib-mine", ".file.0123456789abcdef"
    for name in (old, living, *others):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "file").touch()
        for path in ("inside/file", "inside", "."):
            os.utime(tmp_path / name / path, (0, 0))
    os.utime(tmp_path / living / "inside" / "file")
    (tmp_path / new).touch()
    fill(tmp_path / "file")
    assert set(os.listdir(tmp_path)) == {"file", living, new, *others}


@pytest.mark.parametrize("write", [atomic_write, atomic_folder])
def test_what_cannot_be_written_is_named(tmp_path, write):
    fill(tmp_path / "file")
    with pytest.raises(MnistError, match="file/below: can't be written"):
        write(tmp_path / "file" / "below").__enter__()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_file_takes_the_place_of_files_alone(tmp_path, make):
    make(tmp_path / "other")
    with pytest.raises(MnistError, match="something else than a file has that name"):
        fill(tmp_path / "other")
    assert os.listdir(tmp_path) == ["other"]


@pytest.mark.parametrize("folder", ["cache", "other"])
def test_a_full_disk_leaves_the_old_file_and_names_the_cache_where_it_is_there(
    tmp_path, monkeypatch, full_disk, folder
):
    monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / folder / "file"
    fill(path)
    with full_disk(100), pytest.raises(MnistError, match=r"written: .*large") as caught:
        fill(path, bytes(10_000))
    assert path.read_bytes() == b"whole"
    assert os.listdir(path.parent) == ["file"]
    assert ("MNISTLIB_CACHE_DIR" in str(caught.value)) == (folder == "cache")


def test_without_a_home_the_error_says_what_to_set(monkeypatch):
    for name in ("MNISTLIB_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without one
    with pytest.raises(MnistError, match="set MNISTLIB_CACHE_DIR"):
        cache_dir()


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
