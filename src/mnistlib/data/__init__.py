"""The digits as NumPy arrays, from verified files. Imports no framework.

``python -m mnistlib.data`` says which files would be used, and verifies them.
"""

from mnistlib.data.arrays import (
    IMAGE_SHAPE,
    NUM_CLASSES,
    Mnist,
    Source,
    Split,
    load,
    load_data,
)
from mnistlib.data.idx import read_idx, write_idx
from mnistlib.data.official import MIRRORS, OFFICIAL_FILES, cache_dir, locate
from mnistlib.data.tfds import PreparedDataset, prepare_tfds

__all__ = [
    "IMAGE_SHAPE",
    "MIRRORS",
    "NUM_CLASSES",
    "OFFICIAL_FILES",
    "Mnist",
    "PreparedDataset",
    "Source",
    "Split",
    "cache_dir",
    "load",
    "load_data",
    "locate",
    "prepare_tfds",
    "read_idx",
    "write_idx",
]
