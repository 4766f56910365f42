"""The same verified digits for TensorFlow Datasets, without a network."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from mnistlib.data.arrays import check_source
from mnistlib.data.official import OFFICIAL_FILES, cache_dir, locate


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
    """Prepare TensorFlow Datasets' ``mnist`` from the verified official files.

    The first call takes about half a minute and writes some 22 MB to the
    cache; later ones find it there. Several processes may call it at once.

    Returns
    -------
    PreparedDataset
        What to hand to ``tfds.load``, which then asks no host for anything::

            digits = prepare_tfds()
            tfds.load(digits.name, data_dir=digits.data_dir, split="train")

    Raises
    ------
    mnistlib.MnistError
        If there are no verified files.
    """
    check_source()
    data_dir = cache_dir() / "tfds"
    prepared = PreparedDataset("mnist", str(data_dir))
    target = data_dir / prepared.name
    if target.is_dir():  # it got this name when it was complete
        return prepared
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".preparing-") as scratch:
        _download_and_prepare(prepared.name, Path(scratch))
        try:
            os.rename(Path(scratch) / prepared.name, target)
        except OSError:
            # Another process was faster; what it prepared is as good.
            if not target.is_dir():
                raise
    return prepared


def _download_and_prepare(name: str, scratch: Path) -> None:
    import tensorflow_datasets as tfds

    manual_dir = scratch / "official"
    manual_dir.mkdir()
    official = locate().paths
    for key, file in OFFICIAL_FILES.items():
        _copy_gzipped(official[key], manual_dir / file.name)
    builder = tfds.builder(name, data_dir=scratch)
    # Unpacked files that were gzipped again have the official content, but not
    # the sum that TensorFlow Datasets expects of the gzipped file.
    sums = {
        url: tfds.core.download.checksums.compute_url_info(manual_dir / info.filename)
        for url, info in builder.url_infos.items()
    }
    # It reports on stdout, which is for what the caller prints.
    with mock.patch.dict(builder.url_infos, sums), contextlib.redirect_stdout(sys.stderr):
        builder.download_and_prepare(
            download_dir=scratch / "downloads",
            download_config=tfds.download.DownloadConfig(manual_dir=manual_dir),
        )


def _copy_gzipped(source: Path, target: Path) -> None:
    if source.suffix == ".gz":
        shutil.copyfile(source, target)
    else:
        target.write_bytes(gzip.compress(source.read_bytes(), compresslevel=1))
