"""One network in three frameworks: the same numbers from the same weights, and each alone."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistlib import MnistError, programs
from mnistlib.data import Split
from mnistlib.keras_models import mlp
from mnistlib.programs import with_jax, with_tensorflow

NUM_STEPS = 100
BATCH_SIZE = 32
RATE = 0.1


@pytest.fixture(scope="module", autouse=True)
def exact_products():
    """A GPU would round the factors to ten bits."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with jax.default_matmul_precision("highest"):
        yield
    tf.config.experimental.enable_tensor_float_32_execution(True)


@pytest.fixture(scope="module")
def start():
    rng = np.random.default_rng(0)
    return [
        (rng.normal(size=shape) / 20).astype(np.float32)
        for shape in [(784, 128), (128,), (128, 10), (10,)]
    ]


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(1)
    images = rng.random((NUM_STEPS, BATCH_SIZE, 784)).astype(np.float32)
    return list(zip(images, rng.integers(0, 10, (NUM_STEPS, BATCH_SIZE)), strict=True))


@pytest.fixture(scope="module")
def digits():
    """Digits that a linear classifier can learn: one bright row for each class."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 10, 1_280)
    images = rng.integers(0, 60, (len(labels), 28, 28)).astype(np.uint8)
    images[np.arange(len(labels)), 2 * labels] = 255
    return Split(images, labels.astype(np.uint8))


class InKeras:
    def __init__(self, start):
        self.model = mlp()
        self.model.set_weights(start)
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def logits(self, images):
        return self.model(images.reshape(-1, 28, 28, 1))

    def gradients(self, images, labels):
        with tf.GradientTape() as tape:
            loss = self.loss(labels, self.logits(images))
        return loss, tape.gradient(loss, self.model.trainable_variables)

    def descend(self, gradients):
        for variable, gradient in zip(self.model.trainable_variables, gradients, strict=True):
            variable.assign_sub(RATE * gradient)

    def weights(self):
        return self.model.get_weights()


class InTensorFlow:
    def __init__(self, start):
        self.network = with_tensorflow.Mlp(seed=0)
        for param, value in zip(self.network.params, start, strict=True):
            param.assign(value)

    def logits(self, images):
        return self.network(images)

    def gradients(self, images, labels):
        with tf.GradientTape() as tape:
            loss = self.network.loss(images, labels)
        return loss, tape.gradient(loss, self.network.params)

    def descend(self, gradients):
        for param, gradient in zip(self.network.params, gradients, strict=True):
            param.assign_sub(RATE * gradient)

    def weights(self):
        return [param.numpy() for param in self.network.params]


class InJax:
    def __init__(self, start):
        w, b, last_w, last_b = map(jnp.asarray, start)
        self.params = [(w, b), (last_w, last_b)]
        self.compiled = jax.jit(jax.value_and_grad(with_jax.mean_loss))

    def logits(self, images):
        return with_jax.predict(self.params, images)

    def gradients(self, images, labels):
        loss, gradients = self.compiled(self.params, images, labels)
        return loss, jax.tree.leaves(gradients)

    def descend(self, gradients):
        leaves, structure = jax.tree.flatten(self.params)
        leaves = [p - RATE * g for p, g in zip(leaves, gradients, strict=True)]
        self.params = jax.tree.unflatten(structure, leaves)

    def weights(self):
        return jax.tree.leaves(self.params)


@pytest.fixture(params=[InTensorFlow, InJax])
def pair(request, start):
    return InKeras(start), request.param(start)


def assert_near(found, expected, relative):
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert np.abs(a - b).max() <= relative * np.abs(b).max()


def test_logits_losses_and_gradients_agree(pair, batches):
    expected, found = pair
    images, labels = batches[0]
    assert_near([found.logits(images)], [expected.logits(images)], 1e-5)
    expected_loss, expected_gradients = expected.gradients(images, labels)
    loss, gradients = found.gradients(images, labels)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    assert_near(gradients, expected_gradients, 1e-5)


@pytest.mark.parametrize(("num_steps", "relative"), [(1, 1e-5), (NUM_STEPS, 1e-3)])
def test_the_weights_agree_after_steps(pair, batches, num_steps, relative):
    for network in pair:
        for images, labels in batches[:num_steps]:
            network.descend(network.gradients(images, labels)[1])
    expected, found = pair
    assert_near(found.weights(), expected.weights(), relative)


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


def test_pixels_are_scaled_to_one():
    scaled = programs.flatten_and_scale(np.full((2, 28, 28), 255, np.uint8))
    assert scaled.shape == (2, 784) and scaled.dtype == np.float32
    assert (scaled == 1).all()


def test_an_unknown_program_is_refused():
    with pytest.raises(MnistError, match="no program 'torch': use one of keras, tensorflow, jax"):
        programs.find_program("torch")


def test_the_command_says_what_is_wrong():
    finished = subprocess.run(
        [sys.executable, "-m", "mnistlib.programs", "torch"], capture_output=True, text=True
    )
    assert finished.returncode == 1
    assert "use one of" in finished.stderr and "Traceback" not in finished.stderr


def test_the_program_with_jax_imports_no_tensorflow():
    code = "import sys; sys.modules['tensorflow'] = None; import mnistlib.programs.with_jax"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
