"""Pipelines and networks against NumPy, values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate2d
from scipy.special import log_softmax, softmax

from mnistlib.keras_models import cnn, compile_classifier, dropout_mlp, mlp
from mnistlib.pipelines import evaluation_pipeline, training_pipeline

SIZE = 300
LABELS = np.arange(SIZE)
IMAGES = np.random.default_rng(0).integers(0, 256, (SIZE, 28, 28, 1)).astype(np.uint8)
SCALED = IMAGES.astype(np.float32) / np.float32(255)


@pytest.fixture
def dataset():
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))


def epoch(pipeline):
    images, labels = zip(*pipeline.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_evaluation_scales_and_keeps_the_order_and_every_example(dataset):
    pipeline = evaluation_pipeline(dataset, batch_size=128)
    assert len(pipeline) == 3
    for _ in range(2):
        images, labels = epoch(pipeline)
        np.testing.assert_array_equal(labels, LABELS)
        np.testing.assert_array_equal(images, SCALED)


def test_training_deals_every_example_once_in_a_new_order(dataset):
    tf.random.set_seed(0)
    pipeline = training_pipeline(dataset, SIZE, batch_size=128)
    (images, first), (_, second) = epoch(pipeline), epoch(pipeline)
    assert sorted(first) == sorted(second) == list(range(SIZE))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(images, SCALED[first])


@pytest.mark.parametrize(
    ("build", "activation"), [(mlp, None), (dropout_mlp, None), (dropout_mlp, "softmax")]
)
def test_a_network_is_what_numpy_computes(build, activation):
    keras.utils.set_random_seed(0)
    model = build() if build is mlp else build(activation)
    w1, b1, w2, b2 = (weight.numpy() for weight in model.weights if weight.dtype == "float32")
    images = SCALED[:5].reshape(5, *model.input_shape[1:])
    expected = np.maximum(images.reshape(5, -1) @ w1 + b1, 0) @ w2 + b2
    if activation == "softmax":
        expected = softmax(expected, axis=1)
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-5)


def test_the_convolutional_network_is_what_scipy_computes():
    model = cnn()
    kernel1, bias1, kernel2, bias2, w1, b1, w2, b2 = (weight.numpy() for weight in model.weights)

    def convolve_and_pool(maps, kernel, bias):
        """Correlate (height, width, in) with (3, 3, in, out), relu, and pool by 2."""
        out = [
            sum(correlate2d(maps[..., i], each[..., i], mode="valid") for i in range(each.shape[2]))
            for each in np.moveaxis(kernel, -1, 0)
        ]
        out = np.maximum(np.stack(out, axis=-1) + bias, 0)
        size = out.shape[0] // 2 * 2
        return out[:size, :size].reshape(size // 2, 2, size // 2, 2, -1).max(axis=(1, 3))

    maps = convolve_and_pool(convolve_and_pool(SCALED[0], kernel1, bias1), kernel2, bias2)
    hidden = np.maximum(maps.ravel() @ w1 + b1, 0)
    np.testing.assert_allclose(model(SCALED[:1])[0], hidden @ w2 + b2, rtol=1e-4, atol=1e-5)


def test_a_network_is_compiled_for_logits_and_integer_labels_with_what_it_is_told():
    model = compile_classifier(mlp(), learning_rate=0.5, steps_per_execution=7)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == 0.5
    assert model.steps_per_execution == 7
    labels, logits = LABELS[:20] % 10, model(SCALED[:20]).numpy()
    expected = -log_softmax(logits, axis=1)[np.arange(20), labels].mean()
    np.testing.assert_allclose(model.loss(labels, logits), expected, rtol=1e-5)
