"""Say which digits load() would use, and verify them; draw and download nothing unasked."""

from __future__ import annotations

import argparse
import sys

from mnistlib.data.mnist import load
from mnistlib.data.resolve import locate_mnist, wanted_source
from mnistlib.errors import DownloadError, MnistError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 0 if ``load()`` needs no network, 1 if it does or would fail."""
    parser = argparse.ArgumentParser(prog="python -m mnistlib.data", description=__doc__)
    parser.add_argument("--download", action="store_true", help="get MNIST if it is missing")
    options = parser.parse_args(arguments)
    try:
        source = wanted_source()
        if source == "offline":
            print("source: offline digits, as MNISTLIB_SOURCE says")
            print("these are not MNIST: load() draws them by code, once, and keeps them")
            return 0
        locate_mnist(download=options.download)
        mnist = load()
    except MnistError as error:
        print(error, file=sys.stderr)
        if isinstance(error, DownloadError) and not options.download:
            fallback = "" if source == "mnist" else " or, where it can't, draw the offline digits"
            print(f"load() would download MNIST{fallback}.", file=sys.stderr)
            print("python -m mnistlib.data --download gets it now.", file=sys.stderr)
        return 1
    print(f"source: {mnist.source}")
    for name in ("train", "test"):
        images, labels = getattr(mnist, name)
        print(f"{name}: images {images.dtype} {images.shape}, labels {labels.dtype} {labels.shape}")
    print("verified: the SHA-256 sums are those of the official files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
