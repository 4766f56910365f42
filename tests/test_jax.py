"""JAX's networks against TensorFlow and Keras, values and gradients."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import tensorflow as tf
from jax import random, tree
from jax.test_util import check_grads

from mnistlib import MnistError, jax_cnn, jax_mlp

SIZES = (784, 20, 15, 10)


@pytest.fixture
def params():
    # Larger than the chapter's, so that no gradient drowns in rounding.
    return tree.map(lambda leaf: 5 * leaf, jax_mlp.init_params(SIZES, random.key(0)))


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    images = rng.random((300, 784)).astype(np.float32)
    return images, np.eye(10, dtype=np.float32)[rng.integers(0, 10, 300)]


def assert_close(ours, theirs, rtol=1e-3, atol=1e-5):
    for mine, other in zip(tree.leaves(ours), tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=atol)


def test_the_network_its_loss_and_gradient_are_those_of_tensorflow(params, examples):
    images, targets = examples
    variables = [tf.Variable(leaf) for leaf in map(np.asarray, tree.leaves(params))]
    with tf.GradientTape() as tape:
        w1, b1, w2, b2, w3, b3 = variables
        hidden = tf.nn.relu(images @ tf.transpose(w1) + b1)
        hidden = tf.nn.relu(hidden @ tf.transpose(w2) + b2)
        expected = tf.nn.log_softmax(hidden @ tf.transpose(w3) + b3)
        expected_loss = -tf.reduce_mean(tf.reduce_sum(expected * targets, axis=1))
    assert_close(jax_mlp.predict_batch(params, images), expected.numpy())
    assert_close(jax_mlp.predict(params, images[3]), expected[3].numpy())
    share = np.mean(expected.numpy().argmax(1) == targets.argmax(1))
    assert float(jax_mlp.accuracy(params, images, targets)) == pytest.approx(share, abs=1e-6)
    loss, gradients = jax.value_and_grad(jax_mlp.cross_entropy)(params, images, targets)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-4)
    assert_close(gradients, tape.gradient(expected_loss, variables), atol=1e-6)
    assert np.isfinite(jax_mlp.predict_batch(params, 1e4 * images)).all()  # nothing overflows


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
    assert_close(trained, expected)


def test_gradients_are_those_of_finite_differences(params, examples):
    with jax.enable_x64(True):
        params, images, targets = tree.map(
            lambda leaf: np.asarray(leaf, np.float64), (params, *examples)
        )
        check_grads(
            lambda params: jax_mlp.cross_entropy(params, images, targets),
            (params,),
            order=1,
            modes=["rev"],
            eps=1e-6,
        )


def test_no_key_is_used_twice(digits):
    """The CNN's step carries its key on, and shuffles and moves images with others."""
    images, labels = digits
    with jax.debug_key_reuse(True):
        init_key, batches_key, state_key = random.split(random.key(0), 3)
        jax_mlp.init_params(SIZES, random.key(1))
        jax_cnn.shuffled_batches(batches_key, 6, 3)
        state = jax_cnn.adam_init(jax_cnn.init_cnn(init_key), state_key)
        for _ in range(2):
            state, _ = jax_cnn.cnn_step(state, images, labels, jnp.arange(6), 100, 0.0)


def test_a_split_goes_to_the_device_as_the_network_takes_it():
    images = np.arange(5 * 28 * 28).astype(np.uint8).reshape(5, 28, 28)
    on_device, targets = jax_mlp.to_device(images, np.array([3, 0, 9, 1, 1], np.uint8))
    np.testing.assert_allclose(on_device, images.reshape(5, 784) / 255, rtol=1e-6)
    np.testing.assert_array_equal(targets, np.eye(10)[[3, 0, 9, 1, 1]])
    assert on_device.dtype == targets.dtype == jnp.float32
    with pytest.raises(MnistError, match="5 images and 4 labels"):
        jax_mlp.to_device(images, np.zeros(4))


@pytest.fixture
def cnn():
    return jax_cnn.init_cnn(random.key(0))


@pytest.fixture
def digits():
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.random((6, 28, 28, 1)), jnp.float32), jnp.asarray(rng.integers(0, 10, 6))


def test_the_cnn_and_its_gradient_are_those_of_tensorflow(cnn, digits):
    images, labels = digits
    variables = [tf.Variable(leaf) for leaf in map(np.asarray, tree.leaves(cnn))]
    with tf.GradientTape() as tape:
        w1, b1, w2, b2, w3, b3, w4, b4 = variables
        hidden = tf.nn.relu(tf.nn.conv2d(np.asarray(images), w1, 2, "SAME") + b1)
        hidden = tf.nn.relu(tf.nn.conv2d(hidden, w2, 2, "SAME") + b2)
        hidden = tf.nn.relu(tf.reshape(hidden, (len(images), -1)) @ w3 + b3)
        logits = hidden @ w4 + b4
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(np.asarray(labels), logits)
        loss = tf.reduce_mean(losses)
    assert_close(jax_cnn.cnn_logits(cnn, images), logits.numpy(), atol=1e-4)
    ours, gradients = jax.value_and_grad(jax_cnn.cnn_loss)(cnn, images, labels)
    assert float(ours) == pytest.approx(float(loss), rel=1e-4)
    assert_close(gradients, tape.gradient(loss, variables))


def test_adam_is_that_of_keras(cnn):
    rng = np.random.default_rng(1)
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-8)
    variables = [keras.Variable(np.asarray(leaf)) for leaf in tree.leaves(cnn)]
    state = jax_cnn.adam_init(cnn, random.key(0))
    for _ in range(3):
        # Not near zero, where the two add their epsilon in different places.
        gradients = tree.map(lambda leaf: jnp.asarray(rng.uniform(0.5, 1.5, leaf.shape)), cnn)
        state = jax_cnn.adam_update(state, gradients, 0.01)
        optimizer.apply([tf.constant(np.asarray(g)) for g in tree.leaves(gradients)], variables)
    assert int(state.count) == 3
    assert_close(state.params, variables, rtol=0)  # a step is 0.01


def test_another_key_moves_the_images_otherwise_and_the_same_key_alike(cnn, digits):
    images, labels = digits

    def losses(seed):  # of six steps that learn nothing: they differ by the move alone
        state = tree.map(jnp.copy, jax_cnn.adam_init(cnn, random.key(seed)))
        for _ in range(6):
            state, loss = jax_cnn.cnn_step(state, images, labels, jnp.arange(6), 100, 0.0)
            yield float(loss)

    first = list(losses(0))
    assert len(set(first)) > 1
    assert list(losses(0)) == first != list(losses(1))


def test_each_image_of_a_batch_is_shifted_by_itself_and_none_wraps_around():
    images = jnp.zeros((2, 28, 28, 1)).at[0, 14, 14].set(1).at[1, 0, 0].set(1)
    batch = jnp.repeat(jnp.arange(2), 200)
    with jax.debug_key_reuse(True):
        shifted = np.asarray(jax_cnn.shifted_batch(images, batch, random.key(0), jnp.array(0)))
    inside = np.argwhere(shifted[:200])
    assert len(inside) == 200
    places = {(int(row) - 14, int(column) - 14) for _, row, column, _ in inside}
    assert places == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}
    corners = {tuple(map(int, place)) for _, *place, _ in np.argwhere(shifted[200:])}
    assert corners == {(i, j) for i in range(3) for j in range(3)}  # or it is gone


def test_batches_deal_each_example_at_most_once():
    batches = jax_cnn.shuffled_batches(random.key(0), 1_000, 128)
    assert batches.shape == (7, 128)
    assert len(set(np.ravel(batches).tolist())) == 7 * 128
    assert not np.array_equal(batches, jax_cnn.shuffled_batches(random.key(1), 1_000, 128))
