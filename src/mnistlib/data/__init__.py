"""The digits as NumPy arrays. Imports no framework.

``python -m mnistlib.data`` says which files would be used, and verifies them.
"""

from mnistlib.data.idx import read_idx, write_idx
from mnistlib.data.mnist import Mnist, Source, Split, load, load_data
from mnistlib.data.official import OFFICIAL_FILES
from mnistlib.data.pickled import ClassicMnist, read_pickle, write_pickle
from mnistlib.data.resolve import Located, OfflineDigitsWarning, locate
from mnistlib.data.tfds import PreparedDataset, prepare_tfds
from mnistlib.files import cache_dir

__all__ = [
    "OFFICIAL_FILES",
    "ClassicMnist",
    "Located",
    "Mnist",
    "OfflineDigitsWarning",
    "PreparedDataset",
    "Source",
    "Split",
    "cache_dir",
    "load",
    "load_data",
    "locate",
    "prepare_tfds",
    "read_idx",
    "read_pickle",
    "write_idx",
    "write_pickle",
]
