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


@pytest.fixture(autouse=True)
def exact_products():
    """GPUs round the factors of products to ten bits unless told otherwise."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(enabled)


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


def gradients(model, images, labels):
    with tf.GradientTape() as tape:
        loss = model.loss(images, labels)
    return tape.gradient(loss, [model.weights, model.biases])


def test_logits_and_loss_are_those_of_numpy(model, examples):
    weights, biases = parameters(model)
    np.testing.assert_allclose(
        model(examples[0]), examples[0] @ weights.T + biases, rtol=1e-4, atol=1e-4
    )
    expected, _, _ = reference(weights, biases, *examples)
    assert float(model.loss(*examples)) == pytest.approx(expected, rel=1e-5)


def test_an_untrained_model_knows_nothing(examples):
    assert float(SoftmaxRegression(0.1).loss(*examples)) == pytest.approx(np.log(10), rel=1e-6)


def test_the_gradient_is_the_closed_form(model, examples):
    _, *expected = reference(*parameters(model), *examples)
    for gradient, closed_form in zip(gradients(model, *examples), expected, strict=True):
        np.testing.assert_allclose(gradient, closed_form, atol=1e-6)


def test_the_gradient_is_what_finite_differences_give(model, examples):
    weights, biases = parameters(model)
    gradient, bias_gradient = gradients(model, *examples)
    step = 1e-5

    def loss(position, change):
        changed = weights.copy()
        changed[position] += change
        return reference(changed, biases, *examples)[0]

    for position in [(0, 0), (3, 500), (9, 783)]:
        difference = (loss(position, step) - loss(position, -step)) / (2 * step)
        assert float(gradient[position]) == pytest.approx(difference, abs=1e-6)
    for i, unit in enumerate(np.eye(10)):
        higher, _, _ = reference(weights, biases + step * unit, *examples)
        lower, _, _ = reference(weights, biases - step * unit, *examples)
        assert float(bias_gradient[i]) == pytest.approx((higher - lower) / (2 * step), abs=1e-6)


def test_huge_logits_have_a_finite_loss_and_gradient(model, examples):
    model.weights.assign(1e4 * model.weights)
    assert np.isfinite(model.loss(*examples))
    assert all(np.isfinite(gradient).all() for gradient in gradients(model, *examples))


def test_adam_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    start, gradient_of_step = rng.normal(size=5), rng.normal(size=(4, 5))
    variable = tf.Variable(start, dtype=tf.float32)
    adam = Adam([variable], 0.1)
    expected, mean, square = start.copy(), np.zeros(5), np.zeros(5)
    for t, gradient in enumerate(gradient_of_step, start=1):
        adam.apply([tf.constant(gradient, tf.float32)])
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        expected -= 0.1 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(variable, expected, rtol=1e-4)


def test_adam_is_keras_adam():
    rng = np.random.default_rng(0)
    ours, theirs = (tf.Variable(tf.ones(5)) for _ in range(2))
    adam, keras_adam = Adam([ours], 0.5), keras.optimizers.Adam(0.5, epsilon=1e-8)
    for _ in range(5):
        gradient = tf.constant(rng.normal(0, 1e-6, 5), tf.float32)
        adam.apply([gradient])
        keras_adam.apply_gradients([(gradient, theirs)])
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_adam_wants_a_gradient_for_each_variable():
    with pytest.raises(ValueError, match="zip"):
        Adam([tf.Variable(1.0), tf.Variable(1.0)], 0.1).apply([tf.constant(1.0)])


def test_batches_are_cut_in_order(examples):
    images, labels = make_batches(*examples, batch_size=25)
    assert images.shape == (2, 25, 784) and labels.shape == (2, 25)
    np.testing.assert_array_equal(images[1, 3], examples[0][28])
    np.testing.assert_array_equal(np.ravel(labels), examples[1][:50])


def test_a_shuffle_keeps_pairs_and_depends_on_the_seed(examples):
    images, labels = shuffle(*examples, seed=3)
    order = [int(np.flatnonzero((examples[0] == image).all(1))[0]) for image in images.numpy()]
    assert sorted(order) == list(range(SIZE)) and order != list(range(SIZE))
    np.testing.assert_array_equal(labels, examples[1][order])
    np.testing.assert_array_equal(labels, shuffle(*examples, seed=3)[1])
    assert not np.array_equal(images, shuffle(*examples, seed=4)[0])


@pytest.mark.parametrize(
    "run", [train_epoch, tf.function(train_epoch), compiled_epoch], ids=["eager", "graph", "XLA"]
)
def test_an_epoch_is_numpys(run, model, examples):
    weights, biases = parameters(model)
    means = [np.zeros((10, 784)), np.zeros(10)]
    squares = [np.zeros((10, 784)), np.zeros(10)]
    losses = []
    for t, start in enumerate(range(0, SIZE, BATCH_SIZE), start=1):
        batch = [part[start : start + BATCH_SIZE] for part in examples]
        loss, *found = reference(weights, biases, *batch)
        losses.append(loss)
        rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for target, gradient, mean, square in zip(
            (weights, biases), found, means, squares, strict=True
        ):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            target -= rate * mean / (np.sqrt(square) + 1e-8)
    mean_loss = run(model, *make_batches(*map(tf.constant, examples), BATCH_SIZE))
    assert float(mean_loss) == pytest.approx(np.mean(losses), rel=1e-5)
    np.testing.assert_allclose(model.weights, weights, atol=2e-4)
    np.testing.assert_allclose(model.biases, biases, atol=2e-4)
    assert float(model.optimizer.step) == SIZE / BATCH_SIZE


def test_accuracy_counts_hits(model, examples):
    answers = model(examples[0]).numpy().argmax(1)
    assert float(accuracy(model, examples[0], answers)) == 1.0
    answers[:15] = (answers[:15] + 1) % 10
    assert float(accuracy(model, examples[0], answers)) == pytest.approx(0.75)
