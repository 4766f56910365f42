"""Asking a served network: one digit at a time or many, as floats or as bytes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import requests
import tensorflow as tf
from compare import Comparison, Reproduction, in_turn, rate

from mnistlib.data import load
from mnistlib.export import export_classifier
from mnistlib.keras_models import dropout_mlp
from mnistlib.serving import serve

MANY = 256


def floats(images: np.ndarray) -> bytes:
    return json.dumps({"instances": (images / 255).tolist()}).encode()


def in_bytes(images: np.ndarray) -> bytes:
    body = {"signature_name": "serving_bytes", "instances": images.tolist()}
    return json.dumps(body).encode()


def images_per_second(ask: Callable[[], object], batch: int, calls: int) -> Callable[[], float]:
    """Make a function that asks so often, and returns images a second."""
    return rate(batch * calls, lambda: [ask() for _ in range(calls)])


def comparisons(quick: bool) -> list[Comparison]:
    images, repeats = load().test.images, 3 if quick else 11
    with tempfile.TemporaryDirectory() as scratch:
        keras.utils.set_random_seed(0)
        exported = export_classifier(dropout_mlp(), Path(scratch, "mnist", "1"))
        signature = tf.saved_model.load(str(exported)).signatures["serving_bytes"]
        with serve(exported.parent) as server, requests.Session() as session:
            url = f"{server.url}/v1/models/mnist:predict"

            def http(encode: Callable[[np.ndarray], bytes], batch: int) -> Callable[[], float]:
                body = encode(images[:batch])
                session.post(url, body).raise_for_status()
                return images_per_second(
                    lambda: session.post(url, body), batch, max(20, 200 // batch)
                )

            many = tf.constant(images[:MANY])
            one_by_one, in_batches = http(in_bytes, 1), http(in_bytes, MANY)
            in_process = images_per_second(lambda: signature(images=many), MANY, 20)
            rows = [
                ("bytes, one a request", "floats", http(floats, 1), one_by_one, 1),
                (f"bytes, {MANY} a request", "floats", http(floats, MANY), in_batches, 1.2),
                (f"{MANY} a request", "one by one", one_by_one, in_batches, 20),
                (f"HTTP, {MANY} a request", "no server", in_process, in_batches, 0.1),
            ]
            return [
                Comparison(
                    f"Serving: {name}",
                    "images/s",
                    *in_turn(before, after, repeats),
                    aim=aim,
                    baseline=baseline,
                    higher_is_better=True,
                )
                for name, baseline, before, after, aim in rows
            ]


def reproductions() -> list[Reproduction]:
    return []
