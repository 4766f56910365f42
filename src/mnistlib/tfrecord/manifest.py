"""The list of what a dataset's folder holds, kept beside the shards."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from mnistlib.errors import ChecksumError, FileFormatError, MnistError
from mnistlib.files import open_to_read
from mnistlib.tfrecord.framing import MAX_RATIO, check_compression
from mnistlib.tfrecord.schema import Feature

FILE_NAME = "manifest.json"
FORMAT = 1
# What reading JSON of another structure raises.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Shard:
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Of the file, in the dataset's folder.
    num_examples : int
        How many records it holds; at least one.
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

    def __post_init__(self) -> None:
        check_compression(self.compression)
        if not self.features or not self.shards:
            raise MnistError("it lists no features or no shards")
        # TensorFlow makes room for all values before it looks whether they are there.
        num_values = sum(math.prod(feature.shape) for feature in self.features.values())
        for shard in self.shards:
            if Path(shard.name).name != shard.name:
                raise MnistError(f"{shard.name!r} lies outside the folder")
            if shard.num_examples < 1:
                raise MnistError(f"{shard.name} is empty")
            if shard.num_examples * num_values > shard.num_bytes * MAX_RATIO[self.compression]:
                raise MnistError(f"{shard.name} is too small for such examples")

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
        """Read ``manifest.json``; MnistError if there is none, or it can't be true."""
        path = Path(folder, FILE_NAME)
        try:
            with open_to_read(path) as file:
                content = json.load(file)
            expected = content.pop("sha256")
            if content["format"] != FORMAT:
                raise MnistError(f"not of format {FORMAT}")
            manifest = cls(
                features={
                    name: Feature(**{**each, "shape": tuple(each["shape"])})
                    for name, each in content["features"].items()
                },
                shards=tuple(Shard(**each) for each in content["shards"]),
                compression=content["compression"],
                classes=tuple(content["classes"]),
            )
        except OSError as error:
            reason = f"can't be read ({error.strerror}): is it a dataset?"
            raise MnistError(f"{path}: {reason}") from error
        except (MnistError, *MALFORMED) as error:
            raise FileFormatError(f"{path}: no manifest ({error}): write the data anew") from error
        if _digest(content) != expected:
            raise ChecksumError(f"{path}: was altered after it was written: write the data anew")
        return manifest


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
