"""What a request asks, checked against a SavedModel's signature and answered by it.

It needs NumPy and TensorFlow alone: the server runs it in an environment of its own, and
a process that holds the SavedModel can answer the same requests without a server.

A raw signature checks neither names nor shapes: a wrong shape gives a wrong answer, or ends
the process. So what the signature declares is checked here; what the graph itself asserts,
such as the range of the pixels, comes back as a wrong request, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

DEFAULT = "serving_default"


class WrongRequest(Exception):
    """A request that can't be answered, with the reason in one sentence."""


def answer_rows(signatures: Mapping[str, Callable], body: object) -> dict[str, list]:
    """Answer a request of TensorFlow Serving in its row format.

    Parameters
    ----------
    signatures
        Those of a loaded SavedModel.
    body
        ``{"signature_name": ..., "instances": [...]}``, from JSON. An instance is an
        example's values, or an object of them by input. The name may be left out.

    Returns
    -------
    dict
        ``{"predictions": [...]}``: for each instance an object of the outputs, or the one
        output itself.

    Raises
    ------
    WrongRequest
        If the body is something else, or has other names, shapes, types or values.

    References
    ----------
    https://www.tensorflow.org/tfx/serving/api_rest
    """
    if not isinstance(body, dict) or not isinstance(body.get("instances"), list):
        raise WrongRequest('the body must be {"instances": [...]}, a list of examples')
    if not body["instances"]:
        raise WrongRequest("no instances: there is nothing to answer")
    signature = find(signatures, body.get("signature_name", DEFAULT))
    specs, rows = inputs_of(signature), body["instances"]
    if len(specs) == 1 and not any(isinstance(row, dict) for row in rows):
        columns = {name: rows for name in specs}
    elif all(isinstance(row, dict) and row.keys() == specs.keys() for row in rows):
        columns = {name: [row[name] for row in rows] for name in specs}
    else:
        raise WrongRequest(f"each instance must have the inputs {', '.join(specs)}")
    outputs = call(signature, columns)
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values())).tolist()}
    lists = zip(*(values.tolist() for values in outputs.values()), strict=True)
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in lists]}


def find(signatures: Mapping[str, Callable], name: object) -> Callable:
    if not isinstance(name, str) or name not in signatures:
        raise WrongRequest(f"no signature {name!r}: there are {', '.join(signatures)}")
    return signatures[name]


def inputs_of(signature: Callable) -> dict[str, tf.TensorSpec]:
    return signature.structured_input_signature[1]


def call(signature: Callable, columns: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Call a signature with the values of its inputs, each checked first."""
    specs = inputs_of(signature)
    tensors = {n: tf.constant(to_array(n, columns[n], spec)) for n, spec in specs.items()}
    try:
        outputs = signature(**tensors)
    except tf.errors.InvalidArgumentError as error:
        raise WrongRequest(reason(error)) from None
    return {name: outputs[name].numpy() for name in sorted(outputs)}


def to_array(name: str, values: object, spec: tf.TensorSpec) -> np.ndarray:
    """Turn an input's values into an array of its shape and type; a fraction is no integer."""
    dtype = spec.dtype.as_numpy_dtype
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "iuf":
            raise ValueError
    except ValueError:
        raise WrongRequest(f"{name} must be numbers, in rows of equal lengths") from None
    if not spec.shape.is_compatible_with(given.shape):
        raise WrongRequest(f"{name} has shape {given.shape}, not {spec.shape}")
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if not ((given >= limits.min) & (given <= limits.max) & (given == np.floor(given))).all():
            raise WrongRequest(
                f"{name} must be whole numbers from {limits.min} to {limits.max}: "
                "for fractions there may be another signature"
            )
    return given.astype(dtype)


def reason(error: tf.errors.InvalidArgumentError) -> str:
    """Take what is wrong out of TensorFlow's message about a graph."""
    sentence = error.message.split("[[{{node")[0].strip().splitlines()[-1]
    return re.sub(r"assertion failed: \[(.*)\]", r"\1", sentence)
