"""JAX's networks against NumPy, finite differences and TensorFlow, values and gradients."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import tensorflow as tf
from jax import random, tree

from mnistlib import MnistError, jax_cnn, jax_mlp

SIZES = (784, 20, 15, 10)


@pytest.fixture(autouse=True)
def exact_products():
    """A GPU would round the factors to ten bits."""
    with jax.default_matmul_precision("highest"):
        yield


@pytest.fixture
def params():
    # Larger than the chapter's, so that no gradient drowns in rounding.
    return tree.map(lambda leaf: 5 * leaf, jax_mlp.init_params(SIZES, random.key(0)))


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    images = rng.random((300, 784)).astype(np.float32)
    return images, np.eye(10, dtype=np.float32)[rng.integers(0, 10, 300)]


def numpy_log_probabilities(params, images):
    """The network in double precision, a batch at once."""
    layers = [(np.asarray(w, np.float64), np.asarray(b, np.float64)) for w, b in params]
    hidden = np.asarray(images, np.float64)
    for weights, biases in layers[:-1]:
        hidden = np.maximum(hidden @ weights.T + biases, 0)
    weights, biases = layers[-1]
    logits = hidden @ weights.T + biases
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def numpy_loss(params, images, targets):
    return -(numpy_log_probabilities(params, images) * targets).sum(1).mean()


def test_no_tensorflow_is_imported():
    program = (
        "import sys; sys.modules['tensorflow'] = None; import mnistlib.jax_cnn, mnistlib.jax_mlp"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_parameters_differ_from_layer_to_layer_and_repeat_with_the_key():
    params = jax_mlp.init_params((30, 30, 30), random.key(0))
    assert not np.array_equal(params[0][0], params[1][0])
    assert not np.array_equal(params[0][0][0], params[0][1])
    again = jax_mlp.init_params((30, 30, 30), random.key(0))
    tree.map(np.testing.assert_array_equal, params, again)
    leaves = np.concatenate([leaf.ravel() for leaf in tree.leaves(params)])
    assert leaves.std() == pytest.approx(0.01, rel=0.1)


def test_log_probabilities_are_those_of_numpy(params, examples):
    expected = numpy_log_probabilities(params, examples[0])
    np.testing.assert_allclose(
        jax_mlp.predict_batch(params, examples[0]), expected, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        jax_mlp.predict(params, examples[0][3]), expected[3], rtol=1e-4, atol=1e-4
    )


def test_large_logits_do_not_overflow(params, examples):
    answers = jax_mlp.predict_batch(params, 1e4 * examples[0])
    assert np.isfinite(answers).all()


def test_the_loss_is_that_of_numpy(params, examples):
    loss = jax_mlp.cross_entropy(params, *examples)
    assert float(loss) == pytest.approx(numpy_loss(params, *examples), rel=1e-4)


def test_the_gradient_is_what_finite_differences_in_double_precision_give(params, examples):
    gradients = jax.grad(jax_mlp.cross_entropy)(params, *examples)
    step = 1e-5
    for layer, which, index in [
        (0, 0, (3, 400)),
        (0, 1, (4,)),
        (1, 0, (2, 5)),
        (2, 0, (7, 3)),
        (2, 1, (9,)),
    ]:
        moved = []
        for sign in (1, -1):
            doubles = [[np.asarray(leaf, np.float64).copy() for leaf in pair] for pair in params]
            doubles[layer][which][index] += sign * step
            moved.append(numpy_loss(doubles, *examples))
        difference = (moved[0] - moved[1]) / (2 * step)
        assert float(gradients[layer][which][index]) == pytest.approx(
            difference, rel=1e-3, abs=1e-6
        )


def test_the_gradient_is_that_of_tensorflow(params, examples):
    variables = [tf.Variable(leaf) for leaf in map(np.asarray, tree.leaves(params))]
    with tf.GradientTape() as tape:
        w1, b1, w2, b2, w3, b3 = variables
        hidden = tf.nn.relu(examples[0] @ tf.transpose(w1) + b1)
        hidden = tf.nn.relu(hidden @ tf.transpose(w2) + b2)
        logits = hidden @ tf.transpose(w3) + b3
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(examples[1], logits))
    gradients = tree.leaves(jax.grad(jax_mlp.cross_entropy)(params, *examples))
    for ours, theirs in zip(gradients, tape.gradient(loss, variables), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)


def test_accuracy_counts_the_right_answers(params, examples):
    answers = numpy_log_probabilities(params, examples[0]).argmax(1)
    share = np.mean(answers == examples[1].argmax(1))
    assert float(jax_mlp.accuracy(params, *examples)) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("num_examples", [256, 300], ids=["full batches", "a smaller last one"])
def test_an_epoch_is_gradient_descent_step_by_step(params, examples, num_examples):
    images, targets = (jnp.asarray(part) for part in examples)
    order = random.permutation(random.key(1), num_examples)
    expected = params
    for start in range(0, num_examples, 128):
        batch = order[start : start + 128]
        gradients = jax.grad(jax_mlp.cross_entropy)(expected, images[batch], targets[batch])
        expected = tree.map(lambda p, g: p - 0.1 * g, expected, gradients)
    trained = jax_mlp.train_epoch(tree.map(jnp.copy, params), images, targets, order, 0.1)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), trained, expected)


def test_a_split_goes_to_the_device_as_the_network_takes_it():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 28, 28)).astype(np.uint8)
    on_device, targets = jax_mlp.to_device(images, np.array([3, 0, 9, 1, 1], np.uint8))
    np.testing.assert_allclose(on_device, images.reshape(5, 784) / 255, rtol=1e-6)
    np.testing.assert_array_equal(targets, np.eye(10)[[3, 0, 9, 1, 1]])
    assert on_device.dtype == targets.dtype == jnp.float32


def test_labels_that_are_missing_are_an_error():
    with pytest.raises(MnistError, match="5 images and 4 labels"):
        jax_mlp.to_device(np.zeros((5, 28, 28), np.uint8), np.zeros(4))


@pytest.fixture
def cnn():
    return jax_cnn.init_cnn(random.key(0))


@pytest.fixture
def digits():
    rng = np.random.default_rng(0)
    return rng.random((6, 28, 28, 1)).astype(np.float32), rng.integers(0, 10, 6)


def tensorflow_cnn(variables, images):
    """TensorFlow's own convolution, for comparison."""
    w1, b1, w2, b2, w3, b3, w4, b4 = variables
    hidden = tf.nn.relu(tf.nn.conv2d(images, w1, 2, "SAME") + b1)
    hidden = tf.nn.relu(tf.nn.conv2d(hidden, w2, 2, "SAME") + b2)
    hidden = tf.nn.relu(tf.reshape(hidden, (len(images), -1)) @ w3 + b3)
    return hidden @ w4 + b4


def test_the_cnn_and_its_gradient_are_those_of_tensorflow(cnn, digits):
    images, labels = digits
    variables = [tf.Variable(leaf) for leaf in map(np.asarray, tree.leaves(cnn))]
    with tf.GradientTape() as tape:
        logits = tensorflow_cnn(variables, images)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    np.testing.assert_allclose(jax_cnn.cnn_logits(cnn, images), logits, rtol=1e-3, atol=1e-4)
    ours, gradients = jax.value_and_grad(jax_cnn.cnn_loss)(cnn, images, jnp.asarray(labels))
    assert float(ours) == pytest.approx(float(loss), rel=1e-4)
    for mine, theirs in zip(tree.leaves(gradients), tape.gradient(loss, variables), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)


def test_a_convolution_is_a_sum_over_the_window():
    rng = np.random.default_rng(0)
    images, kernel = rng.random((1, 5, 5, 2)), rng.random((3, 3, 2, 4))
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    result = jax_cnn.conv(jnp.asarray(images, jnp.float32), jnp.asarray(kernel, jnp.float32), 2)
    assert result.shape == (1, 3, 3, 4)
    for row in range(3):
        for column in range(3):
            window = padded[0, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            expected = np.einsum("ijc,ijco->o", window, kernel)
            np.testing.assert_allclose(result[0, row, column], expected, rtol=1e-5)


def test_adam_is_that_of_keras(cnn):
    rng = np.random.default_rng(1)
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-8)
    variables = [keras.Variable(np.asarray(leaf)) for leaf in tree.leaves(cnn)]
    state = jax_cnn.adam_init(cnn)
    for _ in range(3):
        # Not near zero, where the two add their epsilon in different places.
        gradients = tree.map(lambda leaf: jnp.asarray(rng.uniform(0.5, 1.5, leaf.shape)), cnn)
        state = jax_cnn.adam_update(state, gradients, 0.01)
        optimizer.apply([tf.constant(np.asarray(g)) for g in tree.leaves(gradients)], variables)
    assert int(state.count) == 3
    for mine, theirs in zip(tree.leaves(state.params), variables, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)  # a step is 0.01


def test_a_step_is_taken_at_the_rate_of_the_cycle(cnn, digits):
    images, labels = (jnp.asarray(part) for part in digits)
    batch = jnp.array([4, 1])
    state = jax_cnn.adam_init(cnn)._replace(count=jnp.array(3))
    moved = jax_cnn.random_roll(images[batch], random.key(3))
    loss, gradients = jax.value_and_grad(jax_cnn.cnn_loss)(cnn, moved, labels[batch])
    expected = jax_cnn.adam_update(state, gradients, 0.01 * 3 / 20)
    stepped, reported = jax_cnn.cnn_step(
        tree.map(jnp.copy, state), images, labels, batch, num_steps=100, peak=0.01
    )
    assert float(reported) == pytest.approx(float(loss), rel=1e-5)
    assert int(stepped.count) == 4
    # Where a gradient is nearly zero, its sign is a matter of rounding.
    for mine, theirs in zip(tree.leaves(stepped.params), tree.leaves(expected.params), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_a_shift_moves_every_image_alike_by_two_pixels_at_most():
    images = np.zeros((2, 28, 28, 1), np.float32)
    images[:, 14, 14] = 1
    places = set()
    for seed in range(40):
        moved = np.asarray(jax_cnn.random_roll(images, random.key(seed)))
        np.testing.assert_array_equal(moved[0], moved[1])
        [place] = np.argwhere(moved[0, :, :, 0]) - 14
        places.add(tuple(place.tolist()))
    assert max(abs(np.ravel(list(places)))) == 2
    assert len(places) > 12


def test_batches_deal_each_example_at_most_once():
    batches = jax_cnn.shuffled_batches(random.key(0), 1_000, 128)
    assert batches.shape == (7, 128)
    assert len(set(np.ravel(batches).tolist())) == 7 * 128
    assert not np.array_equal(batches, jax_cnn.shuffled_batches(random.key(1), 1_000, 128))
