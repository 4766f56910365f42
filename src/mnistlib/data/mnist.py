"""The digits as NumPy arrays, checked, with their origin and their validation splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mnistlib.data.idx import read_idx
from mnistlib.data.resolve import locate
from mnistlib.errors import MnistError


class Split(NamedTuple):
    """Images and their labels.

    Attributes
    ----------
    images : numpy.ndarray
        uint8, ``(n, 28, 28)``; 0 is black (paper), 255 is white (ink).
    labels : numpy.ndarray
        uint8, ``(n,)``; the digit that each image shows, 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray


class Source(NamedTuple):
    """Which set of digits this is, and where its files came from."""

    name: str
    origin: str

    def __str__(self) -> str:
        return f"{self.name} from {self.origin}"


@dataclass(frozen=True)
class Mnist:
    """The digits.

    Attributes
    ----------
    train, test : Split
        60,000 and 10,000 images and labels.
    source : Source
        What these digits are and where they come from.

    Raises
    ------
    mnistlib.MnistError
        If a split isn't what :class:`Split` says; how many images it has is free.
    """

    train: Split
    test: Split
    source: Source

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            if problem := _problem(*getattr(self, name)):
                raise MnistError(f"{self.source}: {name} split: {problem}")

    def split_train(self, num_validation: int = 5_000) -> tuple[Split, Split]:
        """Split the 60,000 into a training and a validation set.

        With 10,000 it is the classic split of papers and of ``mnist.pkl.gz``.

        Parameters
        ----------
        num_validation
            How many images to set aside: the last ones, so it is the same every time.

        Returns
        -------
        train, validation : Split
            Views of the training set, in file order.

        Raises
        ------
        mnistlib.MnistError
            If nothing would be left for one of the two.
        """
        num_examples = len(self.train.labels)
        if not 0 < num_validation < num_examples:
            raise MnistError(
                f"num_validation is {num_validation}: choose between 1 and {num_examples - 1}, "
                f"so that both sets have images"
            )
        border = num_examples - num_validation
        return (
            Split(self.train.images[:border], self.train.labels[:border]),
            Split(self.train.images[border:], self.train.labels[border:]),
        )


def _problem(images: np.ndarray, labels: np.ndarray) -> str:
    """Say why these aren't images of digits and their labels; an empty text if they are."""
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        return f"images are {images.dtype} {images.shape}, not uint8 (n, 28, 28)"
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        return f"labels are {labels.dtype} {labels.shape} for {len(images):,} images, not uint8"
    if not len(labels):
        return "there are no images"
    if labels.max() > 9:
        return f"label {labels.argmax():,} is {labels.max()}, not a digit from 0 to 9"
    return ""


def load() -> Mnist:
    """Load both splits of MNIST, or of the offline digits where it can't be had.

    :func:`mnistlib.data.resolve.locate` says where they come from.

    Returns
    -------
    Mnist
        Both splits and their source.

    Raises
    ------
    mnistlib.MnistError
        As :func:`mnistlib.data.resolve.locate` and :class:`Mnist`.

    Examples
    --------
    >>> mnist = load()
    >>> mnist.train.images.shape, mnist.train.images.dtype
    ((60000, 28, 28), dtype('uint8'))
    >>> train, validation = mnist.split_train(10_000)
    >>> len(train.labels), len(validation.labels)
    (50000, 10000)
    """
    name, origin, paths = locate()
    train, test = (
        Split(read_idx(paths[f"{split}_images"]), read_idx(paths[f"{split}_labels"]))
        for split in ("train", "test")
    )
    return Mnist(train, test, Source(name, origin))


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load MNIST as ``keras.datasets.mnist.load_data`` does.

    Keras downloads an archive that only its own host has; this gives the same arrays.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        uint8 images ``(60000, 28, 28)`` and ``(10000, 28, 28)``, uint8 labels
        ``(60000,)`` and ``(10000,)``.

    Raises
    ------
    mnistlib.MnistError
        As :func:`load`.
    """
    mnist = load()
    return tuple(mnist.train), tuple(mnist.test)
