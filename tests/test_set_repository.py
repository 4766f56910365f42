"""``make repository`` on a copy: every address changes, and nothing else."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest
import set_repository

ROOT = Path(__file__).resolve().parent.parent
OLD = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
OLD = OLD.removeprefix("https://github.com/")


@pytest.fixture
def copy(tmp_path, monkeypatch):
    for name in ("pyproject.toml", "_config.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    monkeypatch.setattr(set_repository, "ROOT", tmp_path)
    return tmp_path


def texts(folder):
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in {".toml", ".yml", ".md", ".ipynb"} and path.is_file()
    }


def test_every_address_is_replaced_and_nothing_else_and_can_be_changed_back(copy):
    before = texts(copy)
    assert set_repository.main(["some-one/some.book"]) == 0
    after = texts(copy)
    assert after == {name: text.replace(OLD, "some-one/some.book") for name, text in before.items()}
    for name in ("pyproject.toml", "_config.yml", "README.md"):
        assert after[name] != before[name]
    for path in (copy / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert "github.com/some-one/some.book" in "".join(map(str, cells))
    assert set_repository.main([OLD]) == 0
    assert texts(copy) == before


@pytest.mark.parametrize("arguments", [[], [""], ["name"], ["a/b/c"], ["https://github.com/a/b"]])
def test_what_is_no_repository_is_refused(copy, arguments, capsys):
    before = texts(copy)
    assert set_repository.main(arguments) == 1
    assert "REPO=owner/name" in capsys.readouterr().err
    assert texts(copy) == before
