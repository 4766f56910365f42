"""Files and folders that appear whole or not at all."""

import pytest

from mnistlib import MnistError
from mnistlib.files import atomic_folder, atomic_write


def fill(path):
    with atomic_write(path) as file:
        file.write(b"whole")


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "file"
    with atomic_write(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    fill(tmp_path / "file")
    with pytest.raises(TypeError), atomic_write(tmp_path / "file") as file:
        file.write("not bytes")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with atomic_folder(tmp_path / "folder") as scratch:
        fill(scratch / "file")
        assert not (tmp_path / "folder").exists()
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
    assert (tmp_path / "folder" / "file").read_bytes() == b"whole"


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(TypeError), atomic_folder(tmp_path / "folder") as scratch:
        (scratch / "file").write_bytes("not bytes")
    assert not list(tmp_path.iterdir())


def test_the_first_of_two_folders_stays(tmp_path):
    with atomic_folder(tmp_path / "folder") as late:
        fill(late / "late")
        with atomic_folder(tmp_path / "folder") as early:
            fill(early / "early")
    assert [each.name for each in (tmp_path / "folder").iterdir()] == ["early"]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("make", [atomic_write, atomic_folder])
def test_what_cannot_be_written_is_named(tmp_path, make):
    fill(tmp_path / "file")
    with pytest.raises(MnistError, match="file/below: can't be written"):
        make(tmp_path / "file" / "below").__enter__()
