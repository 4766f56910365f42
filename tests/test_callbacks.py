"""Training that is killed and resumed ends where an undisturbed one ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mnistlib.callbacks import SeedEpochs
from mnistlib.keras_models import compile_classifier
from mnistlib.pipelines import resumable_pipeline

NUM_EPOCHS = 3
STEPS_PER_EPOCH = 2


def train(backup, deadly_step=-1):
    """Train a small network with dropout; return how many epochs it ran, and its weights."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8 * STEPS_PER_EPOCH, 4, 4)).astype(np.uint8)
    labels = rng.integers(0, 3, len(images))
    layers = [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    seeds = SeedEpochs(seed=0)

    def kill(batch, logs):
        if model.optimizer.iterations == deadly_step:
            os.kill(os.getpid(), signal.SIGKILL)

    killer = keras.callbacks.LambdaCallback(on_train_batch_end=kill)
    callbacks = [seeds, keras.callbacks.BackupAndRestore(backup), killer]
    with tf.device("CPU"):  # the same to the last bit, also where there is a GPU
        model = compile_classifier(keras.Sequential([keras.Input((4, 4)), *layers]))
        batches = resumable_pipeline(images, labels, seeds.epoch, batch_size=8)
        history = model.fit(batches, epochs=NUM_EPOCHS, verbose=0, callbacks=callbacks)
    return len(history.epoch), model.get_weights()


def test_a_killed_training_ends_where_an_undisturbed_one_ends(tmp_path):
    """The killed process dies in its second epoch; others resume, and run undisturbed."""
    command = [sys.executable, __file__, tmp_path / "killed", str(STEPS_PER_EPOCH + 1)]
    killed = subprocess.run(command, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    num_epochs, resumed = train(tmp_path / "killed")
    assert num_epochs == NUM_EPOCHS - 1
    num_epochs, undisturbed = train(tmp_path / "undisturbed")
    assert num_epochs == NUM_EPOCHS
    for weights, expected in zip(resumed, undisturbed, strict=True):
        np.testing.assert_array_equal(weights, expected)


def test_each_dropout_has_a_state_of_its_own_in_each_epoch():
    dropouts = [keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)]
    seeds = SeedEpochs(seed=3)
    seeds.set_model(keras.Sequential([keras.Input((4,)), *dropouts]))
    states = []
    for epoch in (0, 1, 0):
        seeds.on_epoch_begin(epoch)
        states.append([tuple(layer.seed_generator.state.numpy()) for layer in dropouts])
    assert states[0] == states[2]
    assert len({*states[0], *states[1]}) == 4


def test_an_order_belongs_to_its_epoch_and_seed_and_batches_are_scaled_and_counted():
    images, labels = np.full((100, 28, 28), 255, np.uint8), np.arange(100)

    def order(epoch, seed=0):
        seeds = SeedEpochs()
        batches = resumable_pipeline(images, labels, seeds.epoch, seed=seed, batch_size=32)
        seeds.epoch.assign(epoch)
        assert len(batches) == 4
        assert all((images == 1.0).numpy().all() for images, _ in batches)
        return np.concatenate([labels for _, labels in batches]).tolist()

    assert order(0) == order(0)
    assert order(0) != order(1) != order(1, seed=1)
    assert sorted(order(0)) == sorted(order(1)) == list(range(100))


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]))
