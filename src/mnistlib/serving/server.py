"""A SavedModel behind KServe's HTTP server: a script, run in an environment of its own.

    python server.py FOLDER [--name mnist] [--host 127.0.0.1] [--port 8501]

FOLDER holds versions, ``1``, ``2`` and so on, of which the highest is served, or is a
SavedModel itself. Two protocols are spoken: TensorFlow Serving's (``/v1``) and the Open
Inference Protocol (``/v2``). ``POST /v2/repository/models/mnist/load`` takes up a newer version.

References
----------
https://www.tensorflow.org/tfx/serving/api_rest
https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from uuid import uuid4

import numpy as np
import tensorflow as tf
from fastapi.exceptions import RequestValidationError
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelRepository, ModelServer
from kserve.errors import InvalidInput, invalid_input_handler
from kserve.model_server import app
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.server import RESTServer
from kserve.utils.numpy_codec import from_np_dtype
from signatures import DEFAULT, WrongRequest, answer_rows, call, find, inputs_of


class SavedModel(Model):
    """The newest version of a folder; :meth:`load` looks for a newer one."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.folder = folder
        self.load()

    def load(self) -> bool:
        versions = [
            path for path in self.folder.iterdir() if path.name.isdecimal() and path.is_dir()
        ]
        newest = max(versions, key=lambda path: int(path.name), default=self.folder)
        # A request that is being answered keeps the one that it began with.
        self.loaded = tf.saved_model.load(str(newest))
        self.version = newest.name
        self.ready = True
        return True

    def get_input_types(self) -> list[dict[str, object]]:
        return describe(inputs_of(self.loaded.signatures[DEFAULT]))

    def get_output_types(self) -> list[dict[str, object]]:
        return describe(self.loaded.signatures[DEFAULT].structured_outputs)

    async def predict(self, payload, headers=None, response_headers=None):
        loaded = self.loaded  # its signatures end with it
        answer = answer_columns if isinstance(payload, InferRequest) else answer_rows
        try:
            # In a thread, so that other requests are taken up meanwhile.
            return await asyncio.to_thread(answer, loaded.signatures, payload)
        except WrongRequest as error:
            raise InvalidInput(str(error)) from None


def describe(specs: dict[str, tf.TensorSpec]) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "datatype": from_np_dtype(spec.dtype.as_numpy_dtype),
            "shape": [-1 if size is None else size for size in spec.shape],
        }
        for name, spec in specs.items()
    ]


def answer_columns(signatures, request: InferRequest) -> InferResponse:
    """Answer a request of the Open Inference Protocol."""
    if not isinstance(request.parameters or {}, dict):
        raise WrongRequest("the parameters of a request must be an object")
    signature = find(signatures, (request.parameters or {}).get("signature_name", DEFAULT))
    expected = [(each["name"], each["datatype"]) for each in describe(inputs_of(signature))]
    if sorted((each.name, each.datatype) for each in request.inputs) != sorted(expected):
        raise WrongRequest(f"the inputs must be {', '.join(map(' '.join, expected))}")
    outputs = []
    for name, values in call(
        signature, {each.name: values_of(each) for each in request.inputs}
    ).items():
        output = InferOutput(name, list(values.shape), from_np_dtype(values.dtype))
        output.set_data_from_numpy(values, binary_data=bool(request.use_binary_outputs))
        outputs.append(output)
    return InferResponse(
        request.id or str(uuid4()),
        request.model_name,
        outputs,
        use_binary_outputs=request.use_binary_outputs,
        requested_outputs=request.request_outputs,
    )


def values_of(given) -> np.ndarray:
    try:
        if min(given.shape, default=0) < 0:
            raise ValueError
        return np.asarray(given.data).reshape(given.shape)
    except (ValueError, TypeError):
        raise WrongRequest(f"the data of {given.name} don't fill shape {given.shape}") from None


class Repository(ModelRepository):
    def load(self, name: str) -> bool:
        return self.models[name].load()

    def unload(self, name: str) -> None:
        raise InvalidInput("this server keeps its model: end the server instead")


class Requests(DataPlane):
    """KServe's, but what isn't a request is the client's mistake, and says so."""

    def decode(self, body, headers, *arguments, **options):
        if isinstance(body, bytes) and not arguments and not options:  # v1: JSON in any case
            headers = {**headers, "content-type": "application/json"}
        try:
            return super().decode(body, headers, *arguments, **options)
        except InvalidInput:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"not a request of this protocol: {error!r}") from error

    async def model_metadata(self, name: str) -> dict[str, object]:
        metadata = await super().model_metadata(name)
        return metadata | {"versions": [self.get_model_from_registry(name).version]}


async def answer_invalid(_, error: RequestValidationError):
    """Say in a sentence what pydantic says in a list."""
    wrong = error.errors()[0]
    place = ".".join(map(str, wrong["loc"]))
    return await invalid_input_handler(_, InvalidInput(f"{place}: {wrong['msg']}"))


def end_with_parent() -> None:
    sys.stdin.read()  # ends when the parent does
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="mnist")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501, help="0 for any that is free")
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args()
    try:
        listening = socket.create_server((options.host, options.port))
        model = SavedModel(options.name, options.folder)
    except OSError as error:
        sys.exit(f"{options.folder} can't be served at {options.host}:{options.port}: {error}")
    server = ModelServer(
        registered_models=Repository(), enable_grpc=False, enable_latency_logging=False
    )
    server.register_model(model)
    requests = Requests(model_registry=server.registered_models)
    rest = RESTServer(
        "kserve.model_server:app", requests, server.model_repository_extension, options.port
    )
    app.add_exception_handler(RequestValidationError, answer_invalid)
    # A log that nobody reads would grow with every request, and a client's mistakes aren't ours.
    for name in ("kserve", "kserve.trace", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if options.until_stdin_closes:
        threading.Thread(target=end_with_parent, daemon=True).start()
    host, port = listening.getsockname()
    print(f"http://{host}:{port}", flush=True)
    rest.run(sockets=[listening])


if __name__ == "__main__":
    main()
