"""The offline digits: drawn by code from a seed, in the form of MNIST."""

from mnistlib.data.offline.cache import DRAWING_VERSION, draw, find_or_draw

__all__ = ["DRAWING_VERSION", "draw", "find_or_draw"]
