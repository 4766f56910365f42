"""One network in three frameworks: the same numbers from the same weights, and each alone."""

from pathlib import Path

import jax
import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

from mnistlib import programs
from mnistlib.data import Split
from mnistlib.keras_models import mlp
from mnistlib.programs import with_jax, with_keras, with_tensorflow

CHAPTER = Path(__file__).parent.parent / "notebooks" / "13_three_frameworks.ipynb"


@pytest.fixture(scope="module")
def digits():
    """Digits that a linear classifier can learn: one bright row for each class."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 10, 1_280)
    images = rng.integers(0, 60, (len(labels), 28, 28)).astype(np.uint8)
    images[np.arange(len(labels)), 2 * labels] = 255
    return Split(images, labels.astype(np.uint8))


def in_keras(params, images, labels):
    """Return logits, loss and gradients."""
    model = mlp()
    model.set_weights(params)
    with tf.GradientTape() as tape:
        logits = model(images.reshape(-1, 28, 28, 1))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    return logits, loss, tape.gradient(loss, model.trainable_variables)


def in_tensorflow(params, images, labels):
    network = with_tensorflow.Mlp(seed=0)
    for variable, param in zip(network.params, params, strict=True):
        variable.assign(param)
    with tf.GradientTape() as tape:
        loss = network.loss(images, labels)
    return network(images), loss, tape.gradient(loss, network.params)


def in_jax(params, images, labels):
    weights, biases, last_weights, last_biases = params
    params = [(weights, biases), (last_weights, last_biases)]
    loss, gradients = jax.value_and_grad(with_jax.mean_loss)(params, images, labels)
    return with_jax.predict(params, images), loss, jax.tree.leaves(gradients)


@pytest.mark.parametrize("compute", [in_tensorflow, in_jax])
def test_logits_losses_and_gradients_are_those_of_keras(compute):
    """On the way down, where most hidden units have left their start."""
    rng = np.random.default_rng(0)
    shapes = [(784, 128), (128,), (128, 10), (10,)]
    params = [(rng.normal(size=shape) / 20).astype(np.float32) for shape in shapes]
    for _ in range(10):
        images, labels = rng.random((32, 784)).astype(np.float32), rng.integers(0, 10, 32)
        logits, loss, gradients = in_keras(params, images, labels)
        found_logits, found_loss, found_gradients = compute(params, images, labels)
        assert float(found_loss) == pytest.approx(float(loss), rel=1e-5)
        pairs = [(found_logits, logits), *zip(found_gradients, gradients, strict=True)]
        for found, expected in pairs:
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
        params = [
            param - 0.1 * np.asarray(gradient)
            for param, gradient in zip(params, gradients, strict=True)
        ]


@pytest.mark.parametrize("name", programs.NAMES)
def test_a_program_learns_and_repeats_with_its_seed(name, digits):
    program = programs.find_program(name)
    first, again, other = (programs.run(program, digits, digits, seed, 3) for seed in (0, 0, 1))
    assert first.accuracies[-1] > 0.9
    assert len(first.accuracies) == len(first.seconds) == 3
    assert programs.accuracy(first.classifier, digits) == first.accuracies[-1]
    images = programs.flatten_and_scale(digits.images[:50])
    scores = [np.asarray(each.classifier(images)) for each in (first, again, other)]
    assert scores[0].shape == (50, 10)
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-2, atol=1e-2)
    assert np.abs(scores[0] - scores[2]).max() > 0.1


@pytest.mark.parametrize("module", [with_keras, with_tensorflow, with_jax])
def test_the_chapter_shows_the_programs_as_they_are(module):
    shown = "\n".join(cell.source for cell in nbformat.read(CHAPTER, as_version=4).cells)
    assert f"```python\n{programs.code_of(module)}\n```" in shown
