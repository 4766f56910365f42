"""Pipelines and networks against NumPy, values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate2d

from mnistlib.keras_models import cnn, compile_classifier, dropout_mlp, mlp
from mnistlib.pipelines import (
    build_pipeline,
    element_bytes,
    evaluation_pipeline,
    scale,
    training_pipeline,
)

SIZE = 300


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (SIZE, 28, 28, 1)).astype(np.uint8), np.arange(SIZE)


@pytest.fixture
def dataset(examples):
    return tf.data.Dataset.from_tensor_slices(examples)


def epoch(pipeline):
    images, labels = zip(*pipeline.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_scaled_pixels_are_those_of_numpy(examples):
    image, label = scale(examples[0], 3)
    assert label == 3
    np.testing.assert_array_equal(image, examples[0].astype(np.float32) / np.float32(255))


def test_evaluation_keeps_the_order_and_every_example(dataset, examples):
    pipeline = evaluation_pipeline(dataset, batch_size=128)
    assert len(pipeline) == 3
    for _ in range(2):
        images, labels = epoch(pipeline)
        np.testing.assert_array_equal(labels, examples[1])
        np.testing.assert_array_equal(images, scale(*examples)[0])


def test_training_deals_every_example_once_in_a_new_order(dataset, examples):
    tf.random.set_seed(0)
    pipeline = training_pipeline(dataset, SIZE, batch_size=128)
    (images, first), (_, second) = epoch(pipeline), epoch(pipeline)
    assert sorted(first) == sorted(second) == list(range(SIZE))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(images, scale(examples[0][first], None)[0])


def test_the_bytes_of_an_element_are_those_of_its_tensors(dataset):
    assert element_bytes(dataset) == 28 * 28 + 8
    assert element_bytes(dataset.batch(32, drop_remainder=True)) == 32 * (28 * 28 + 8)


def test_steps_are_applied_in_order_and_their_buffers_counted(dataset):
    byte, real = 28 * 28 + 8, 4 * 28 * 28 + 8
    steps = [("cache",), ("shuffle", 10), ("map", scale), ("batch", 32, True), ("prefetch", 2)]
    pipeline, held = build_pipeline(dataset, steps)
    assert held == SIZE * byte + 10 * byte + 2 * 32 * real
    assert len(pipeline) == SIZE // 32
    assert pipeline.element_spec[0].shape == (32, 28, 28, 1)
    _, held = build_pipeline(dataset, [("map", scale), ("shuffle", 10), ("batch", 32, True)])
    assert held == 10 * real


def test_counted_bytes_are_what_the_process_grows_by():
    psutil = pytest.importorskip("psutil")
    megabyte = tf.zeros((2**20,), tf.uint8)
    numbers = tf.data.Dataset.range(400)
    steps = [("map", lambda _: tf.identity(megabyte) + 1), ("shuffle", 150)]
    pipeline, held = build_pipeline(numbers, steps)
    before = psutil.Process().memory_info().rss
    iterator = iter(pipeline)
    next(iterator)
    grown = psutil.Process().memory_info().rss - before
    assert held == 150 * 2**20
    assert 0.8 * held < grown < 1.5 * held


def test_the_network_is_what_numpy_computes(examples):
    model = mlp()
    weights = [weight.numpy() for weight in model.weights]
    w1, b1, w2, b2 = weights
    images = scale(examples[0][:5], None)[0].numpy()
    hidden = np.maximum(images.reshape(5, -1) @ w1 + b1, 0)
    np.testing.assert_allclose(model(images), hidden @ w2 + b2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_the_network_with_dropout_is_what_numpy_computes(examples, activation):
    keras.utils.set_random_seed(0)
    model = dropout_mlp(activation)
    w1, b1, w2, b2 = (weight.numpy() for weight in model.weights)
    images = (examples[0][:5, ..., 0] / np.float32(255)).astype(np.float32)
    expected = np.maximum(images.reshape(5, -1) @ w1 + b1, 0) @ w2 + b2
    if activation == "softmax":
        expected = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-5)
    hidden = keras.Model(model.inputs[0], model.layers[-2].output)(images, training=True).numpy()
    assert 0.15 < np.mean(hidden[:, (images.reshape(5, -1) @ w1 > 0).all(0)] == 0) < 0.25


def test_the_convolutional_network_is_what_scipy_computes(examples):
    model = cnn()
    kernel1, bias1, kernel2, bias2, w1, b1, w2, b2 = [weight.numpy() for weight in model.weights]
    image = scale(examples[0][0], None)[0].numpy()

    def convolve_and_pool(maps, kernel, bias):
        """Correlate (height, width, in) with (3, 3, in, out), relu, and pool by 2."""
        out = [
            sum(
                correlate2d(maps[..., i], kernel[..., i, o], mode="valid")
                for i in range(maps.shape[2])
            )
            for o in range(kernel.shape[3])
        ]
        out = np.maximum(np.stack(out, axis=-1) + bias, 0)
        size = out.shape[0] // 2 * 2
        return out[:size, :size].reshape(size // 2, 2, size // 2, 2, -1).max(axis=(1, 3))

    maps = convolve_and_pool(convolve_and_pool(image, kernel1, bias1), kernel2, bias2)
    hidden = np.maximum(maps.ravel() @ w1 + b1, 0)
    np.testing.assert_allclose(model(image[None])[0], hidden @ w2 + b2, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_what_finite_differences_give(examples):
    model = compile_classifier(mlp())
    images = scale(examples[0][:20], None)[0]
    labels = examples[1][:20] % 10
    # The last layer's bias: the loss is smooth in it.
    bias = model.weights[3]
    start = bias.numpy()

    def loss(values):
        bias.assign(values)
        return model.loss(labels, model(images))

    with tf.GradientTape() as tape:
        value = loss(start)
    gradient = tape.gradient(value, bias.value)
    step = 1e-2
    differences = [
        (loss(start + step * unit) - loss(start - step * unit)) / (2 * step)
        for unit in np.eye(10, dtype=np.float32)
    ]
    np.testing.assert_allclose(gradient, differences, atol=1e-3)


def test_the_loss_takes_logits_and_integer_labels():
    loss = compile_classifier(mlp()).loss
    logits = np.array([[2.0, 1.0, 0.0]], np.float32)
    expected = -np.log(np.exp(2.0) / np.exp(logits).sum())
    assert float(loss(np.array([0]), logits)) == pytest.approx(expected, rel=1e-5)


def test_the_learning_rate_is_used():
    optimizer = compile_classifier(mlp(), learning_rate=0.5).optimizer
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert float(optimizer.learning_rate) == 0.5
