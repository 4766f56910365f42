"""A SavedModel's answers against the network's, and what it refuses."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistlib import MnistError
from mnistlib.export import (
    DTYPES,
    ExportedClassifier,
    check_images,
    export_classifier,
    rest_answer,
    rest_request,
)
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


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_both_signatures_answer_as_the_network_does(exported, images, expected, dtype):
    given = images if dtype == np.uint8 else images / np.float32(255)
    classes, probabilities = exported(given)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(classes, expected.argmax(1))


def test_a_network_without_a_channel_axis_is_exported_too(tmp_path, images):
    model = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    exported = ExportedClassifier(export_classifier(model, tmp_path / "1"))
    logits = model(images / np.float32(255)).numpy()
    np.testing.assert_array_equal(exported(images).classes, logits.argmax(1))


def test_a_process_without_keras_gives_the_same_answers(folder, images, expected, tmp_path):
    path = tmp_path / "images.npy"
    np.save(path, images)
    command = [sys.executable, "-c", WITHOUT_KERAS, str(folder), str(path)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    np.testing.assert_allclose(np.load(path), expected, atol=1e-6)


def test_the_signatures_have_names_and_shapes(folder):
    signatures = tf.saved_model.load(str(folder)).signatures
    for name, dtype in DTYPES.items():
        [spec] = signatures[name].structured_input_signature[1].values()
        assert (spec.name, spec.shape.as_list(), spec.dtype) == ("images", [None, 28, 28], dtype)
        assert set(signatures[name].structured_outputs) == {"classes", "probabilities"}


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(1, 14, 56), (28, 28), (1, 28, 28, 1), ()])
def test_the_graph_itself_refuses_other_shapes(folder, name, shape):
    """A server calls the graph without our checks; (1, 14, 56) has 784 pixels, too."""
    signature = tf.saved_model.load(str(folder)).signatures[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Shape of tensor"):
        signature(images=tf.zeros(shape, DTYPES[name]))


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
    ],
    ids=str,
)
def test_wrong_images_are_refused_with_a_reason(exported, images, message):
    with pytest.raises(MnistError, match=message):
        exported(images)


def test_no_images_have_no_answers(exported):
    classes, probabilities = exported(np.zeros((0, 28, 28), np.float32))
    assert classes.shape == (0,) and probabilities.shape == (0, 10)


def test_an_export_is_never_overwritten(model, folder):
    with pytest.raises(MnistError, match="next version"):
        export_classifier(model, folder)


def test_another_network_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10)])
    with pytest.raises(MnistError, match=r"\(784,\)"):
        export_classifier(model, tmp_path / "1")
    assert not list(tmp_path.iterdir())


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(MnistError, match=r"no SavedModel here"):
        ExportedClassifier(tmp_path)


def test_a_model_with_other_signatures_is_refused(model, tmp_path):
    model.export(str(tmp_path / "1"), verbose=False)
    with pytest.raises(MnistError, match="no signature serving_bytes"):
        ExportedClassifier(tmp_path / "1")


def test_a_request_goes_through_json_to_the_signature_and_back(folder, exported, images):
    request = json.loads(json.dumps(rest_request(images)))
    assert request["signature_name"] == "serving_bytes" == check_images(images)
    # What a server does with it.
    signature = tf.saved_model.load(str(folder)).signatures[request["signature_name"]]
    outputs = signature(images=tf.constant(request["instances"], tf.uint8))
    answer = json.loads(json.dumps(rest_answer(exported(images))))
    assert [row["classes"] for row in answer["predictions"]] == outputs["classes"].numpy().tolist()
    np.testing.assert_allclose(
        [row["probabilities"] for row in answer["predictions"]], outputs["probabilities"]
    )
