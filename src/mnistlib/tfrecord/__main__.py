"""Make TFRecord files from a folder of PNG files, or verify some."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mnistlib.errors import MnistError
from mnistlib.tfrecord.images import write_image_folder
from mnistlib.tfrecord.manifest import Manifest
from mnistlib.tfrecord.reading import verify


def main(arguments: list[str] | None = None) -> int:
    """Run ``python -m mnistlib.tfrecord``.

    Parameters
    ----------
    arguments
        The command line, without the program's name.

    Returns
    -------
    int
        The exit status: 0 if all is well, 1 if not.
    """
    parser = argparse.ArgumentParser(prog="python -m mnistlib.tfrecord", description=__doc__)
    commands = parser.add_subparsers(required=True)
    images = commands.add_parser("images", help="a folder of CLASS/NAME.png to TFRecord files")
    images.add_argument("images", type=Path)
    images.add_argument("folder", type=Path, help="the folder to make")
    images.add_argument("--shard-size", type=int, help="examples in a file; all by default")
    images.add_argument("--gzip", action="store_const", const="GZIP", default="")
    images.add_argument("--seed", type=int, default=0, help="of the shuffling")
    images.set_defaults(run=_write_images)
    check = commands.add_parser("verify", help="check every byte of a dataset")
    check.add_argument("folder", type=Path)
    check.set_defaults(run=lambda options: verify(options.folder))
    options = parser.parse_args(arguments)
    try:
        manifest: Manifest = options.run(options)
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.folder.name}: {manifest.num_examples} examples, {len(manifest.shards)} files")
    for name, feature in manifest.features.items():
        print(f"  {name}: {feature.dtype} {feature.shape}, stored as {feature.encoding}")
    if manifest.classes:
        print(f"  classes: {', '.join(manifest.classes)}")
    return 0


def _write_images(options: argparse.Namespace) -> Manifest:
    return write_image_folder(
        options.images,
        options.folder,
        shard_size=options.shard_size,
        compression=options.gzip,
        seed=options.seed,
    )


if __name__ == "__main__":
    sys.exit(main())
