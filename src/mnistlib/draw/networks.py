"""The networks that answer a drawing: trained here, kept in bytes, for Python and a browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from mnistlib.draw import WEB
from mnistlib.errors import MnistError
from mnistlib.files import atomic_write
from mnistlib.keras_models import cnn, mlp, softmax_regression

NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "softmax": softmax_regression,
    "mlp": mlp,
    "cnn": cnn,
}


def write(name: str, model: keras.Model) -> Path:
    """Write a network as a script for the browser, each weight a byte.

    Parameters
    ----------
    name
        One of ``NETWORKS``.
    model
        A network as that function builds it, trained.

    Returns
    -------
    pathlib.Path
        The script; :func:`read` reads it, too. The weights of a layer are int8 times one
        scale, and its biases numbers of six digits.
    """
    layers = [part for layer in model.layers for part in _parts(layer)]
    path = WEB / f"network-{name}.js"
    text = f"mnist.networks[{json.dumps(name)}] = {json.dumps({'layers': layers})};\n"
    with atomic_write(path) as file:
        file.write(text.encode())
    return path


def _parts(layer: keras.layers.Layer) -> list[dict]:
    """Return what the browser needs of a layer: none, one or two steps."""
    side, channels = layer.input.shape[1], layer.input.shape[-1]
    match layer:
        case keras.layers.Flatten():
            return []
        case keras.layers.MaxPooling2D() if layer.pool_size == layer.strides == (2, 2):
            return [{"kind": "pool", "side": side, "outSide": side // 2, "channels": channels}]
        case keras.layers.Conv2D() if (layer.padding, layer.strides) == ("valid", (1, 1)):
            size = layer.kernel_size[0]
            shape = {"side": side, "outSide": side - size + 1, "channels": channels, "size": size}
            step = {"kind": "conv"} | shape | _in_bytes(*layer.get_weights())
        case keras.layers.Dense():
            step = {"kind": "dense"} | _in_bytes(*layer.get_weights())
        case _:
            raise MnistError(f"{layer.name}: the browser has no {type(layer).__name__} like this")
    if layer.activation not in (keras.activations.relu, keras.activations.linear):
        raise MnistError(f"{layer.name}: the browser knows no activation but ReLU")
    return [step, {"kind": "relu"}] if layer.activation is keras.activations.relu else [step]


def _in_bytes(weights: np.ndarray, bias: np.ndarray) -> dict:
    scale = float(np.abs(weights).max() or 1) / 127
    rounded = np.round(weights / scale).astype(np.int8)
    return {
        "scale": scale,
        "weights": base64.b64encode(rounded.tobytes()).decode(),
        "bias": [float(f"{each:.6g}") for each in bias],
    }


def read(name: str) -> keras.Model:
    """Build a network from what :func:`write` wrote: the one that the browser asks.

    Parameters
    ----------
    name
        One of ``NETWORKS``.

    Returns
    -------
    keras.Model
        As its function builds it, with the weights as they were rounded.

    Raises
    ------
    mnistlib.MnistError
        If there is no network of that name.
    """
    if name not in NETWORKS:
        raise MnistError(f"no network {name!r}: take one of {', '.join(NETWORKS)}")
    script = (WEB / f"network-{name}.js").read_text(encoding="utf-8")
    layers = json.loads(script.partition("=")[2].rstrip(";\n"))["layers"]
    model = NETWORKS[name]()
    model.set_weights([array for layer in layers if "weights" in layer for array in _arrays(layer)])
    return model


def _arrays(layer: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer's weights and biases, float32, shaped as Keras has them."""
    weights = np.frombuffer(base64.b64decode(layer["weights"]), np.int8)
    bias = np.asarray(layer["bias"], np.float32)
    size = (layer["size"],) * 2 + (layer["channels"],) if "size" in layer else (-1,)
    return weights.reshape(*size, len(bias)) * np.float32(layer["scale"]), bias
