"""Softmax regression against NumPy: values, gradients, and training as a whole."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistlib.tf_softmax import (
    Adam,
    SoftmaxRegression,
    accuracy,
    compiled_epoch,
    make_batches,
    shuffle,
    train_epoch,
)

SIZE, BATCH_SIZE = 60, 20


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    images = rng.random((SIZE, 784), np.float32)
    return images, rng.integers(0, 10, SIZE)


@pytest.fixture
def model():
    """A model whose weights aren't zeros."""
    model = SoftmaxRegression(0.01)
    rng = np.random.default_rng(1)
    model.weights.assign(rng.normal(0, 0.1, (10, 784)))
    model.biases.assign(rng.normal(0, 0.1, 10))
    return model


def reference(weights, biases, images, labels):
    """Return loss and gradients in closed form, in float64."""
    images = images.astype(float)
    scores = np.exp(images @ weights.T + biases)
    probabilities = scores / scores.sum(1, keepdims=True)
    loss = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    errors = (probabilities - np.eye(10)[labels]) / len(labels)
    return loss, errors.T @ images, errors.sum(0)


def parameters(model):
    return model.weights.numpy().astype(float), model.biases.numpy().astype(float)


def loss_and_gradients(model, images, labels):
    with tf.GradientTape() as tape:
        loss = model.loss(images, labels)
    return [loss, *tape.gradient(loss, [model.weights, model.biases])]


def test_logits_loss_and_gradient_are_those_of_numpy_and_finite_where_logits_are_huge(
    model, examples
):
    weights, biases = parameters(model)
    logits = examples[0] @ weights.T + biases
    np.testing.assert_allclose(model(examples[0]), logits, rtol=1e-4, atol=1e-4)
    expected = reference(weights, biases, *examples)
    for found, closed_form in zip(loss_and_gradients(model, *examples), expected, strict=True):
        np.testing.assert_allclose(found, closed_form, rtol=1e-5, atol=1e-6)
    answers = logits.argmax(1)
    answers[:15] = (answers[:15] + 1) % 10
    assert float(accuracy(model, examples[0], answers)) == pytest.approx(1 - 15 / SIZE)
    model.weights.assign(1e4 * model.weights)
    assert all(np.isfinite(each).all() for each in loss_and_gradients(model, *examples))


def test_a_shuffle_keeps_pairs_and_depends_on_the_seed(examples):
    images, labels = shuffle(*examples, seed=3)
    order = [int(np.flatnonzero((examples[0] == image).all(1))[0]) for image in images.numpy()]
    assert sorted(order) == list(range(SIZE)) and order != list(range(SIZE))
    np.testing.assert_array_equal(labels, examples[1][order])
    np.testing.assert_array_equal(labels, shuffle(*examples, seed=3)[1])
    assert not np.array_equal(images, shuffle(*examples, seed=4)[0])


def test_adam_is_that_of_keras():
    variable, expected = tf.Variable(tf.zeros(5)), keras.Variable(np.zeros(5))
    adam, reference = Adam([variable], 0.1), keras.optimizers.Adam(0.1, epsilon=1e-8)
    for gradient in np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32):
        adam.apply([gradient])
        reference.apply([tf.constant(gradient)], [expected])
        np.testing.assert_allclose(variable, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "run", [train_epoch, tf.function(train_epoch), compiled_epoch], ids=["eager", "graph", "XLA"]
)
def test_an_epoch_is_numpys_step_by_step(run, model, examples):
    expected = [keras.Variable(each) for each in parameters(model)]
    adam, losses = keras.optimizers.Adam(0.01, epsilon=1e-8), []
    for start in range(0, SIZE, BATCH_SIZE):
        batch = [part[start : start + BATCH_SIZE] for part in examples]
        loss, *gradients = reference(*map(np.asarray, expected), *batch)
        losses.append(loss)
        adam.apply([tf.constant(each, tf.float32) for each in gradients], expected)
    mean_loss = run(model, *make_batches(*map(tf.constant, examples), BATCH_SIZE))
    assert float(mean_loss) == pytest.approx(np.mean(losses), rel=1e-5)
    for parameter, value in zip(parameters(model), expected, strict=True):
        np.testing.assert_allclose(parameter, value, atol=2e-4)
    assert float(model.optimizer.step) == SIZE / BATCH_SIZE
