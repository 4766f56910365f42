"""The list of what a dataset's folder holds, kept beside the shards."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mnistlib.errors import ChecksumError, FileFormatError, MnistError
from mnistlib.tfrecord.framing import OPENERS
from mnistlib.tfrecord.schema import Feature

FILE_NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Shard:
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Of the file, in the dataset's folder.
    num_examples : int
        How many records it holds.
    num_bytes : int
        Its size.
    sha256 : str
        The sum of its bytes.
    """

    name: str
    num_examples: int
    num_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a dataset holds.

    Attributes
    ----------
    features : dict
        A :class:`mnistlib.tfrecord.Feature` for each name in an example.
    shards : tuple of Shard
        Its files, in order.
    compression : str
        Of the files: ``""`` or ``"GZIP"``.
    classes : tuple of str
        What the labels 0, 1, ... stand for, if anybody said so.
    """

    features: dict[str, Feature]
    shards: tuple[Shard, ...]
    compression: str = ""
    classes: tuple[str, ...] = ()

    @property
    def num_examples(self) -> int:
        """How many examples all shards hold."""
        return sum(shard.num_examples for shard in self.shards)

    def save(self, folder: Path) -> None:
        """Write ``manifest.json``, with a sum of its own."""
        content = {"format": FORMAT, **asdict(self)}
        text = json.dumps({**content, "sha256": _digest(content)}, indent=1)
        Path(folder, FILE_NAME).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read ``manifest.json``.

        Raises
        ------
        mnistlib.MnistError
            If the folder has none.
        mnistlib.FileFormatError
            If it isn't a manifest of this format.
        mnistlib.ChecksumError
            If it was altered.
        """
        path = Path(folder, FILE_NAME)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            expected = content.pop("sha256")
            if content.pop("format") != FORMAT:
                raise ValueError(f"not of format {FORMAT}")
            manifest = cls(
                features={
                    name: Feature(**{**each, "shape": tuple(each["shape"])})
                    for name, each in content["features"].items()
                },
                shards=tuple(Shard(**each) for each in content["shards"]),
                compression=content["compression"],
                classes=tuple(content["classes"]),
            )
            if manifest.compression not in OPENERS:
                raise ValueError(f"compression {manifest.compression!r}")
            if any(Path(shard.name).name != shard.name for shard in manifest.shards):
                raise ValueError("a shard lies outside the folder")
        except OSError as error:
            raise MnistError(
                f"{path}: can't be read ({error.strerror}): is it a dataset?"
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError, MnistError) as error:
            raise FileFormatError(f"{path}: no manifest ({error}): write the data anew") from error
        if _digest({"format": FORMAT, **content}) != expected:
            raise ChecksumError(f"{path}: was altered after it was written: write the data anew")
        return manifest


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
