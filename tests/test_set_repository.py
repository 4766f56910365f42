"""``make repository`` on a copy: every address changes, and links and badges with it."""

import shutil
from pathlib import Path

import pytest
import set_repository
from addresses import read_address

ROOT = Path(__file__).resolve().parent.parent
OLD = read_address(ROOT / "pyproject.toml")


@pytest.fixture
def copy(tmp_path, monkeypatch):
    for name in ("pyproject.toml", "_config.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("book", "notebooks"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("_*", "ruff.toml")
        )
    monkeypatch.setattr(set_repository, "ROOT", tmp_path)
    return tmp_path


def texts(folder):
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in {".toml", ".yml", ".md", ".ipynb"} and path.is_file()
    }


def test_every_address_is_replaced_and_can_be_changed_back(copy):
    before = texts(copy)
    assert set_repository.main(["Some-One/some.book"]) == 0
    address = read_address(copy / "pyproject.toml")
    assert address == ("Some-One/some.book", "https://some-one.github.io/some.book")
    for name, text in texts(copy).items():
        assert OLD.repository not in text, name
        assert ("Some-One/some.book" in text) != name.startswith("book/"), name
        if name.endswith(".ipynb"):
            assert "](../" not in text
            assert f"/Some-One/some.book/blob/main/{name})" in text  # Colab's badge
    assert set_repository.main(["some-one/book", "https://example.org/mnist/"]) == 0
    assert read_address(copy / "pyproject.toml").site == "https://example.org/mnist"
    assert set_repository.main([OLD.repository, OLD.site]) == 0
    assert texts(copy) == before


@pytest.mark.parametrize("arguments", [[], [""], ["name"], ["a/b/c"], ["https://github.com/a/b"]])
def test_what_is_no_repository_is_refused(copy, arguments, capsys):
    before = texts(copy)
    assert set_repository.main(arguments) == 1
    assert "REPO=owner/name" in capsys.readouterr().err
    assert texts(copy) == before
