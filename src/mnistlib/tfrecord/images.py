"""A folder of PNG files, a folder for each class, to TFRecord files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from mnistlib.errors import FileFormatError, MnistError
from mnistlib.tfrecord.manifest import Manifest
from mnistlib.tfrecord.schema import Feature, png_shape
from mnistlib.tfrecord.writing import write


def write_image_folder(
    images: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    shard_size: int | None = None,
    compression: str = "",
    seed: int = 0,
) -> Manifest:
    """Write the images of a folder as a dataset.

    The PNG files are stored as they are, under ``image``; the place of their
    class among the sorted names of the folders is ``label``, int64. They are
    shuffled, because a file of zeros, then ones, trains badly.

    Parameters
    ----------
    images
        A folder that has a folder of PNG files for each class:
        ``images/CLASS/ANY.png``. All must have one size and one number of channels.
    folder
        The folder to make.
    shard_size, compression
        As in :func:`mnistlib.tfrecord.write`.
    seed
        Of the shuffling.

    Returns
    -------
    Manifest
        What was written; its ``classes`` are the names of the folders.

    Raises
    ------
    mnistlib.MnistError
        If there are no images, or if one of them is damaged or differs in size.
    """
    found = sorted(path for path in Path(images).glob("[!.]*/*") if path.suffix.lower() == ".png")
    classes = sorted({path.parent.name for path in found})
    if not found:
        raise MnistError(f"{images}: no images there: it takes CLASS/NAME.png")
    height, width, channels = _read_png(found[0])[1]
    features = {
        "image": Feature((height, width, channels), "uint8", "png"),
        "label": Feature((), "int64"),
    }

    def examples() -> Iterator[dict[str, object]]:
        for index in np.random.default_rng(seed).permutation(len(found)):
            path = found[index]
            data, shape = _read_png(path)
            if shape != (height, width, channels):
                raise MnistError(
                    f"{path}: height, width and channels are {shape}, those of {found[0]} "
                    f"{(height, width, channels)}: make all images alike"
                )
            yield {"image": data, "label": classes.index(path.parent.name)}

    return write(
        folder,
        examples(),
        features=features,
        shard_size=shard_size,
        compression=compression,
        classes=classes,
    )


def _read_png(path: Path) -> tuple[bytes, tuple[int, int, int]]:
    """Return a PNG file's bytes and shape; decode it, so that damage is found here."""
    data = path.read_bytes()
    try:
        shape = png_shape(data)
        tf.io.decode_png(data)
    except (MnistError, tf.errors.InvalidArgumentError) as error:
        raise FileFormatError(f"{path}: no PNG file, or a damaged one: remove it") from error
    return data, shape
