"""The same verified digits for TensorFlow Datasets, without a network."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mnistlib.data.idx import read_idx
from mnistlib.data.kept import make_once
from mnistlib.data.offline import DRAWING_VERSION
from mnistlib.data.resolve import MNIST, locate
from mnistlib.files import cache_dir


class PreparedDataset(NamedTuple):
    """What ``tfds.load`` needs to find a dataset that is prepared.

    Attributes
    ----------
    name : str
        The dataset's name, the first argument of ``tfds.load``.
    data_dir : str
        The folder for its argument ``data_dir``.
    """

    name: str
    data_dir: str


def prepare_tfds() -> PreparedDataset:
    """Prepare the digits for TensorFlow Datasets, from the files that are used.

    MNIST becomes TensorFlow Datasets' own ``mnist``; the offline digits become
    ``offline_digits``, with the same features and splits. The first call takes
    some seconds and writes 22 MB to the cache. Several processes may call it at once.

    Returns
    -------
    PreparedDataset
        What to hand to ``tfds.load``, which then asks no host for anything::

            digits = prepare_tfds()
            tfds.load(digits.name, data_dir=digits.data_dir, split="train")

    Raises
    ------
    mnistlib.MnistError
        As :func:`mnistlib.data.resolve.locate`, or if the cache can't be written.
    """
    import tensorflow_datasets as tfds

    located = locate()
    is_mnist = located.name == MNIST
    name = "mnist" if is_mnist else "offline_digits"
    version = str(tfds.builder_cls("mnist").VERSION) if is_mnist else f"{DRAWING_VERSION}.0.0"
    data_dir = cache_dir() / "tfds" / f"{name}-{version}"

    def make(scratch: Path) -> None:
        builder_cls = _builder_cls(name, version, located.paths)
        # TensorFlow Datasets reports on stdout, which is for what the caller prints.
        with contextlib.redirect_stdout(sys.stderr):
            try:
                builder_cls(data_dir=scratch).download_and_prepare()
            # A full disk comes out of TensorFlow Datasets as any of half a dozen families.
            except Exception as error:
                raise OSError(f"TensorFlow Datasets failed: {error}") from error

    make_once(data_dir, make)
    return PreparedDataset(name, str(data_dir))


def _builder_cls(name: str, version: str, paths: dict[str, Path]) -> type:
    """Derive a builder from the library's own of MNIST, which reads the given files."""
    import tensorflow_datasets as tfds

    # Registered, it could be made but once in a process.
    class Digits(tfds.builder_cls("mnist"), skip_registration=True):
        VERSION = tfds.core.Version(version)

        def _info(self) -> tfds.core.DatasetInfo:
            info = super()._info()
            if self.name == "mnist":
                return info
            description = "Digits drawn by code, in MNIST's form. They are not MNIST."
            form = {"features": info.features, "supervised_keys": info.supervised_keys}
            return tfds.core.DatasetInfo(builder=self, description=description, **form)

        def _split_generators(self, _: object) -> dict[str, Iterator]:
            return {split: self._generate_examples(split) for split in ("train", "test")}

        def _generate_examples(self, split: str) -> Iterator:
            images = read_idx(paths[f"{split}_images"])[..., None]
            labels = read_idx(paths[f"{split}_labels"])
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield index, {"image": image, "label": label}

    Digits.name = name
    return Digits
