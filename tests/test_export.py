"""A SavedModel's answers against the network's, and what it refuses."""

import json
import subprocess
import sys
from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistlib import MnistError
from mnistlib.export import (
    INPUTS,
    OUTPUTS,
    Answers,
    ExportedClassifier,
    export_classifier,
    rest_answer,
    rest_request,
)
from mnistlib.files import atomic_folder
from mnistlib.keras_models import mlp

WITHOUT_KERAS = """
import sys
sys.modules["keras"] = None  # importing it fails
import numpy as np
from mnistlib.export import ExportedClassifier
answers = ExportedClassifier(sys.argv[1])(np.load(sys.argv[2]))
np.save(sys.argv[2], answers.probabilities)
"""


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return mlp()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return export_classifier(model, tmp_path_factory.mktemp("models") / "mnist" / "1")


@pytest.fixture(scope="module")
def exported(folder):
    return ExportedClassifier(folder)


@pytest.fixture(scope="module")
def expected(model, images):
    """Probabilities by NumPy from the network's logits."""
    logits = model(images[..., None] / np.float32(255)).numpy().astype(np.float64)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def linear(shape=(28, 28), num_classes=10, weight=None):
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(num_classes)]
    )
    if weight is not None:
        model.layers[-1].kernel.assign(np.full((784, num_classes), weight))
    return model


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_both_signatures_answer_as_the_network_does(exported, images, expected, dtype):
    given = images if dtype == np.uint8 else images / np.float32(255)
    classes, probabilities = exported(given)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(classes, expected.argmax(1))


def test_a_process_without_keras_gives_the_same_answers(folder, images, expected, tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, images)
    command = [sys.executable, "-c", WITHOUT_KERAS, str(folder), str(path)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    np.testing.assert_allclose(np.load(path), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "images", "message"),
    [
        *((name, np.zeros((1, 14, 56)), "Shape of tensor") for name in INPUTS),
        *((name, np.zeros((28, 28)), "Shape of tensor") for name in INPUTS),
        ("serving_default", np.full((1, 28, 28), np.nan), "pixels must be from 0 to 1"),
        ("serving_default", np.full((1, 28, 28), 255.0), "pixels must be from 0 to 1"),
        ("serving_default", np.full((1, 28, 28), -0.1), "pixels must be from 0 to 1"),
    ],
)
def test_the_graph_itself_refuses_wrong_images(folder, name, images, message):
    """A server calls the graph without our checks; (1, 14, 56) has 784 pixels, too."""
    signature = tf.saved_model.load(str(folder)).signatures[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signature(images=tf.cast(images, INPUTS[name].dtype))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((28, 28), np.uint8), r"shape \(28, 28\).*images\[None\]"),
        (np.zeros((1, 14, 56), np.uint8), r"shape \(1, 14, 56\)"),
        (np.zeros((1, 28, 28, 1), np.uint8), "shape"),
        (np.zeros((1, 28, 28)), "float64: use uint8"),
        (np.zeros((1, 28, 28), np.int64), "int64: use uint8"),
        (np.full((1, 28, 28), 255, np.float32), "from 255 to 255: use 0 to 1"),
        (np.full((1, 28, 28), np.nan, np.float32), "use 0 to 1"),
        ([[1, 2], [3, 4]], "shape"),
        ([[1, 2], [3]], "different shapes"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "ask", [ExportedClassifier.__call__, lambda _, images: rest_request(images)]
)
def test_wrong_images_are_refused_with_a_reason(exported, ask, images, message):
    with pytest.raises(MnistError, match=message):
        ask(exported, images)


def test_no_images_have_no_answers(exported):
    classes, probabilities = exported(np.zeros((0, 28, 28), np.float32))
    assert classes.shape == (0,) and probabilities.shape == (0, 10)


def test_of_two_exports_to_one_folder_one_succeeds(tmp_path, monkeypatch, images):
    """The second, whose network has no axis of channels, begins and ends while the first writes."""
    second = linear()

    @contextmanager
    def overtaken(folder):
        with atomic_folder(folder) as scratch:
            monkeypatch.undo()
            export_classifier(second, folder)
            yield scratch

    monkeypatch.setattr("mnistlib.export.atomic_folder", overtaken)
    with pytest.raises(MnistError, match="1: another process wrote it in the meantime"):
        export_classifier(linear((28, 28, 1)), tmp_path / "1")
    logits = second(images / np.float32(255)).numpy()
    answers = ExportedClassifier(tmp_path / "1")(images)
    np.testing.assert_array_equal(answers.classes, logits.argmax(1))
    with pytest.raises(MnistError, match="1: is there already"):
        export_classifier(linear(), tmp_path / "new" / ".." / "1")
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (linear((784,)), r"turns \(None, 784\) into"),
        (linear(num_classes=7), r"into \(None, 7\)"),
        (keras.Sequential([keras.layers.Dense(10)]), "turns None into None"),
        (linear(weight=np.nan), "kernel holds NaN or infinity"),
    ],
    ids=["input", "output", "not built", "weights"],
)
def test_another_network_is_refused(tmp_path, model, message):
    with pytest.raises(MnistError, match=message):
        export_classifier(model, tmp_path / "1")
    assert not list(tmp_path.iterdir())


def test_an_answer_of_nan_is_none(tmp_path, images):
    """Finite weights can overflow; the server's graph refuses, and so do we."""
    export_classifier(linear(weight=1e38), tmp_path / "1")
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_bytes"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="answer is NaN"):
        signature(images=tf.constant(images))
    with pytest.raises(MnistError, match="answer is NaN"):
        ExportedClassifier(tmp_path / "1")(images)
    with pytest.raises(MnistError, match="answer is NaN"):
        rest_answer(Answers(np.zeros(1, int), np.full((1, 10), np.nan, np.float32)))


def test_what_is_no_export_of_ours_is_refused(model, tmp_path):
    with pytest.raises(MnistError, match="no SavedModel here"):
        ExportedClassifier(tmp_path)
    model.export(str(tmp_path / "1"), verbose=False)
    with pytest.raises(MnistError, match="no signature serving_default, or one with other"):
        ExportedClassifier(tmp_path / "1")
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"\xff\xfe")
    with pytest.raises(MnistError, match=r"1: can't be loaded: .*export anew"):
        ExportedClassifier(tmp_path / "1")


def test_a_request_goes_through_json_to_the_signature_and_back(folder, exported, images):
    request = json.loads(json.dumps(rest_request(list(images))))
    assert request["signature_name"] == "serving_bytes"
    # What a server does with it.
    signature = tf.saved_model.load(str(folder)).signatures[request["signature_name"]]
    outputs = signature(images=tf.constant(request["instances"], tf.uint8))
    assert outputs.keys() == OUTPUTS.keys()
    answer = json.loads(json.dumps(rest_answer(exported(list(images)))))
    assert [row["classes"] for row in answer["predictions"]] == outputs["classes"].numpy().tolist()
    np.testing.assert_allclose(
        [row["probabilities"] for row in answer["predictions"]], outputs["probabilities"]
    )
