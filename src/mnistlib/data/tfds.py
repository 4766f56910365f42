"""The same verified digits for TensorFlow Datasets, without a network."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from mnistlib.data.idx import read_idx
from mnistlib.data.kept import make_once
from mnistlib.data.official import OFFICIAL_FILES
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
    about half a minute and writes some 22 MB to the cache; later ones find it
    there, and prepare it anew if a file isn't as it was written. Several processes
    may call it at once.

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
    version = tfds.builder_cls(name).VERSION if is_mnist else f"{DRAWING_VERSION}.0.0"
    data_dir = cache_dir() / "tfds" / f"{name}-{version}"
    prepare = _prepare_mnist if is_mnist else _prepare_offline_digits

    def make(scratch: Path) -> None:
        # TensorFlow Datasets reports on stdout, which is for what the caller prints.
        with contextlib.redirect_stdout(sys.stderr):
            try:
                prepare(located.paths, scratch)
            # A full disk comes out of TensorFlow Datasets as any of half a dozen families.
            except Exception as error:
                raise OSError(f"TensorFlow Datasets failed: {error}") from error

    make_once(data_dir, make)
    return PreparedDataset(name, str(data_dir))


def _prepare_mnist(paths: dict[str, Path], data_dir: Path) -> None:
    """Let the library's own builder read the files as if it had downloaded them."""
    import tensorflow_datasets as tfds

    builder = tfds.builder("mnist", data_dir=data_dir)
    with tempfile.TemporaryDirectory(dir=data_dir) as scratch:
        manual_dir = Path(scratch)
        for key, file in OFFICIAL_FILES.items():
            _copy_gzipped(paths[key], manual_dir / file.name)
        # Unpacked files that were gzipped again have the official content, but
        # not the sum that TensorFlow Datasets expects of the gzipped file.
        sums = {
            url: tfds.core.download.checksums.compute_url_info(manual_dir / info.filename)
            for url, info in builder.url_infos.items()
        }
        with mock.patch.dict(builder.url_infos, sums):
            builder.download_and_prepare(
                download_dir=manual_dir / "downloads",
                download_config=tfds.download.DownloadConfig(manual_dir=manual_dir),
            )


def _prepare_offline_digits(paths: dict[str, Path], data_dir: Path) -> None:
    """Give the offline digits a builder of their own."""
    import tensorflow_datasets as tfds

    # Registered, it could be prepared but once in a process.
    class OfflineDigits(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Digits drawn by code, in MNIST's form. They are not MNIST."""

        VERSION = tfds.core.Version(f"{DRAWING_VERSION}.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            features = {
                "image": tfds.features.Image(shape=(28, 28, 1)),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
            )

        def _split_generators(self, _: object) -> dict[str, Iterator]:
            return {split: self._generate_examples(split) for split in ("train", "test")}

        def _generate_examples(self, split: str) -> Iterator:
            images = read_idx(paths[f"{split}_images"])[..., None]
            labels = read_idx(paths[f"{split}_labels"])
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield index, {"image": image, "label": label}

    OfflineDigits(data_dir=data_dir).download_and_prepare()


def _copy_gzipped(source: Path, target: Path) -> None:
    if source.suffix == ".gz":
        shutil.copyfile(source, target)
    else:
        target.write_bytes(gzip.compress(source.read_bytes(), compresslevel=1))
