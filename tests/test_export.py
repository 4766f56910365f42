"""A SavedModel's answers against the network's, and what it refuses."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from mnistlib import MnistError
from mnistlib.export import (
    INPUTS,
    ExportedClassifier,
    export_classifier,
)
from mnistlib.keras_models import mlp

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28)).astype(np.uint8)
WITHOUT_KERAS = """
import sys
sys.modules["keras"] = None  # importing it fails
import numpy as np
from mnistlib.export import ExportedClassifier
answers = ExportedClassifier(sys.argv[1])(np.eye(28, dtype=np.uint8)[None])
print(*answers.probabilities.ravel())
"""


def linear(shape=(28, 28), num_classes=10, weights="glorot_uniform"):
    dense = keras.layers.Dense(num_classes, kernel_initializer=weights)
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), dense])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export_classifier(linear(), tmp_path_factory.mktemp("models") / "mnist" / "1")


@pytest.fixture(scope="module")
def exported(folder):
    return ExportedClassifier(folder)


@pytest.mark.parametrize("make", [linear, mlp])
def test_both_signatures_answer_as_the_network_does(tmp_path, make):
    """One network's images have an axis of channels, the other's haven't."""
    model, floats = make(), IMAGES / np.float32(255)
    logits = model(floats.reshape(-1, *model.input_shape[1:])).numpy()
    exported = ExportedClassifier(export_classifier(model, tmp_path / "1"))
    for images in (IMAGES, floats):
        classes, probabilities = exported(images)
        np.testing.assert_allclose(probabilities, softmax(logits, axis=1), atol=1e-6)
        np.testing.assert_array_equal(classes, logits.argmax(1))
    assert exported(IMAGES[:0]).probabilities.shape == (0, 10)


def test_a_process_without_keras_gives_the_same_answers(folder, exported):
    command = [sys.executable, "-c", WITHOUT_KERAS, str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    [expected] = exported(np.eye(28, dtype=np.uint8)[None]).probabilities
    found = [float(word) for word in finished.stdout.split()]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_graph_itself_refuses_wrong_images(folder):
    """A server calls the graph without our checks."""
    signatures = tf.saved_model.load(str(folder)).signatures
    for name, spec in INPUTS.items():
        for shape in ((28, 28), (1, 14, 56)):  # the second has 784 pixels, too
            with pytest.raises(tf.errors.InvalidArgumentError, match="Shape of tensor"):
                signatures[name](images=tf.zeros(shape, spec.dtype))
    for pixel in (np.nan, 255, -0.1):
        images = tf.fill((1, 28, 28), np.float32(pixel))
        with pytest.raises(tf.errors.InvalidArgumentError, match="pixels must be from 0 to 1"):
            signatures["serving_default"](images=images)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((28, 28), np.uint8), r"shape \(28, 28\).*images\[None\]"),
        (np.zeros((1, 14, 56), np.uint8), r"shape \(1, 14, 56\)"),
        (np.zeros((1, 28, 28), np.int64), "int64: use uint8"),
        (np.full((1, 28, 28), 255, np.float32), "from 255 to 255: use 0 to 1"),
        (np.full((1, 28, 28), np.nan, np.float32), "use 0 to 1"),
        ([[1, 2], [3]], "different shapes"),
    ],
    ids=str,
)
def test_wrong_images_are_refused_with_a_reason(exported, images, message):
    with pytest.raises(MnistError, match=message):
        exported(images)


def test_of_two_exports_to_one_folder_one_succeeds(tmp_path, monkeypatch):
    """The other process makes the folder while this one writes."""
    path = tmp_path / "1"
    archive = type(keras.export.ExportArchive())  # the backend's
    monkeypatch.setattr(archive, "write_out", lambda *_, **__: path.mkdir())
    for message in ("another process wrote it in the meantime", "is there already"):
        with pytest.raises(MnistError, match=f"1: {message}"):
            export_classifier(linear(), path)
        assert list(tmp_path.iterdir()) == [path]


def test_another_network_is_refused(tmp_path):
    for model, message in [
        (linear((784,)), r"turns \(None, 784\) into"),
        (linear(num_classes=7), r"into \(None, 7\)"),
        (keras.Sequential([keras.layers.Dense(10)]), "turns None into None"),
        (linear(weights=keras.initializers.Constant(np.nan)), "kernel holds NaN or infinity"),
    ]:
        with pytest.raises(MnistError, match=message):
            export_classifier(model, tmp_path / "1")
    assert not list(tmp_path.iterdir())


def test_an_answer_of_nan_is_none(tmp_path):
    """Finite weights can overflow; the server's graph refuses, and so do we."""
    export_classifier(linear(weights=keras.initializers.Constant(1e38)), tmp_path / "1")
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_bytes"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="answer is NaN"):
        signature(images=tf.constant(IMAGES))
    with pytest.raises(MnistError, match="answer is NaN"):
        ExportedClassifier(tmp_path / "1")(IMAGES)


def test_what_is_no_export_of_ours_is_refused(tmp_path):
    with pytest.raises(MnistError, match="no SavedModel here"):
        ExportedClassifier(tmp_path)
    linear().export(str(tmp_path / "1"), verbose=False)
    with pytest.raises(MnistError, match="no signature serving_default, or one with other"):
        ExportedClassifier(tmp_path / "1")
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"\xff\xfe")
    with pytest.raises(MnistError, match=r"1: can't be loaded: .*export anew"):
        ExportedClassifier(tmp_path / "1")
