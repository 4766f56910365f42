"""Serve an exported network until Ctrl-C, and say how to ask it something."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from mnistlib.data import load
from mnistlib.errors import MnistError
from mnistlib.serving import serve


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m mnistlib.serving", description=__doc__)
    parser.add_argument("folder", type=Path, help="versions 1, 2, ... or a SavedModel")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--train", action="store_true", help="train one, if none is there")
    options = parser.parse_args(arguments)
    try:
        mnist = load()
        if options.train and not options.folder.exists():
            train(mnist.train, options.folder / "1")
        with (
            tempfile.TemporaryDirectory() as scratch,
            serve(options.folder, port=options.port) as server,
        ):
            request = Path(scratch, "request.json")
            digit = {
                "signature_name": "serving_bytes",
                "instances": mnist.test.images[:1].tolist(),
            }
            request.write_text(json.dumps(digit))
            print(f"{options.folder} is served at {server.url} (Ctrl-C ends it). Ask it:")
            print(f"curl -d @{request} {server.url}/v1/models/mnist:predict", flush=True)
            server.process.wait()
            raise MnistError(f"the server ended by itself: status {server.process.returncode}")
    except MnistError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def train(digits, folder: Path) -> None:
    """Train chapter 5's network for one epoch, a few seconds, and export it."""
    print(f"There is no network in {folder.parent}: training one.", flush=True)
    from mnistlib.export import export_classifier
    from mnistlib.keras_models import compile_classifier, dropout_mlp

    model = compile_classifier(dropout_mlp())
    model.fit(digits.images / 255, digits.labels, batch_size=128, verbose=2)
    export_classifier(model, folder)


if __name__ == "__main__":
    sys.exit(main())
