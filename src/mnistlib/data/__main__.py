"""Say which digits would be used, and verify them."""

from __future__ import annotations

import argparse
import sys

from mnistlib.data.mnist import load
from mnistlib.data.resolve import OFFLINE_DIGITS
from mnistlib.errors import DownloadError, MnistError


def main(arguments: list[str] | None = None) -> int:
    """Run ``python -m mnistlib.data``.

    Parameters
    ----------
    arguments
        The command line, without the program's name.

    Returns
    -------
    int
        The exit status: 0 if there are digits to use, 1 if not.
    """
    parser = argparse.ArgumentParser(prog="python -m mnistlib.data", description=__doc__)
    parser.add_argument("--download", action="store_true", help="get them if they are missing")
    options = parser.parse_args(arguments)
    try:
        mnist = load(download=options.download)
    except MnistError as error:
        print(error, file=sys.stderr)
        if isinstance(error, DownloadError) and not options.download:
            print("python -m mnistlib.data --download gets them.", file=sys.stderr)
        return 1
    print(f"source: {mnist.source}")
    for name in ("train", "test"):
        images, labels = getattr(mnist, name)
        print(f"{name}: images {images.dtype} {images.shape}, labels {labels.dtype} {labels.shape}")
    if mnist.source.name == OFFLINE_DIGITS:
        print("these are not MNIST: they were drawn by code")
    else:
        print("verified: the SHA-256 sums are those of the official files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
