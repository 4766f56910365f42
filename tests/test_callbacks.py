"""Training that is killed and resumed, and TensorBoard's files read back."""

import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from mnistlib import FileFormatError, MnistError
from mnistlib.callbacks import SeedEpochs, read_scalars
from mnistlib.pipelines import resumable_pipeline

# Arguments: where to back up, where to put the weights, the step to die at.
TRAINING = """
import os, signal, sys
import keras, numpy as np, tensorflow as tf
from mnistlib.callbacks import SeedEpochs
from mnistlib.pipelines import resumable_pipeline

backup, weights, deadly_step = sys.argv[1], sys.argv[2], int(sys.argv[3])
tf.config.experimental.enable_op_determinism()
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (320, 28, 28)).astype(np.uint8)
labels = rng.integers(0, 10, 320)
model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(10),
    ]
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer="adam", loss=loss)

class Killer(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == deadly_step:
            os.kill(os.getpid(), signal.SIGKILL)

seeds = SeedEpochs(seed=0)
batches = resumable_pipeline(images, labels, seeds.epoch, batch_size=32)
callbacks = [seeds, keras.callbacks.BackupAndRestore(backup), Killer()]
history = model.fit(batches, epochs=4, verbose=0, callbacks=callbacks)
model.save_weights(weights)
print("epochs run:", len(history.history["loss"]))
"""


def train(folder, name, deadly_step=-1):
    """Start the training in a process of its own."""
    arguments = [folder / f"backup-{name}", folder / f"{name}.weights.h5", deadly_step]
    return subprocess.Popen(
        [sys.executable, "-c", TRAINING, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def weights_of(path):
    import h5py

    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a POSIX system")
def test_a_killed_training_ends_where_an_undisturbed_one_ends(tmp_path):
    undisturbed = train(tmp_path, "undisturbed")
    # An epoch has ten steps: the process dies in the middle of the third.
    killed = train(tmp_path, "killed", deadly_step=25)
    assert "epochs run: 4" in undisturbed.communicate()[0]
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.weights.h5").exists()
    assert "epochs run: 2" in train(tmp_path, "killed").communicate()[0]
    expected, resumed = (
        weights_of(tmp_path / f"{n}.weights.h5") for n in ("undisturbed", "killed")
    )
    assert expected.keys() == resumed.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


@pytest.fixture
def examples():
    return np.zeros((100, 28, 28), np.uint8), np.arange(100)


def orders(examples, epochs, seed=0):
    seeds = SeedEpochs()
    batches = resumable_pipeline(*examples, seeds.epoch, seed=seed, batch_size=32)
    found = []
    for epoch in epochs:
        seeds.epoch.assign(epoch)
        found.append(np.concatenate([labels for _, labels in batches]).tolist())
    return found


def test_an_order_belongs_to_its_epoch(examples):
    first, second, again = orders(examples, [0, 1, 0])
    assert first == again != second
    assert sorted(first) == sorted(second) == list(range(100))
    assert orders(examples, [1]) == [second]
    assert orders(examples, [1], seed=1) != [second]


def test_resumable_batches_are_scaled_and_counted(examples):
    images = np.full_like(examples[0], 255)
    batches = resumable_pipeline(images, examples[1], SeedEpochs().epoch, batch_size=32)
    assert len(batches) == 4
    shapes = [batch.shape for batch, _ in batches]
    assert shapes == [(32, 28, 28)] * 3 + [(4, 28, 28)]
    assert all((batch == 1.0).numpy().all() for batch, _ in batches)


def test_each_dropout_has_a_state_of_its_own_in_each_epoch():
    dropouts = [keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((4,)), *dropouts])
    seeds = SeedEpochs(seed=3)
    seeds.set_model(model)
    states = {}
    for epoch in (0, 1, 0):
        seeds.on_epoch_begin(epoch)
        states[epoch] = [tuple(layer.seed_generator.state.numpy()) for layer in dropouts]
        if epoch == 0:
            first = states[0]
    assert states[0] == first
    assert len({*states[0], *states[1]}) == 4


@pytest.fixture
def log_dir(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x, y = np.random.default_rng(0).normal(size=(2, 8, 4)).astype(np.float32)
    history = model.fit(
        x,
        y[:, :1],
        validation_data=(x, y[:, :1]),
        epochs=3,
        verbose=0,
        callbacks=[keras.callbacks.TensorBoard(tmp_path / "logs")],
    )
    return tmp_path / "logs", history.history


def test_the_curves_are_those_of_the_history(log_dir):
    folder, history = log_dir
    curves = read_scalars(folder)
    for curve, name in (("train/epoch_loss", "loss"), ("validation/epoch_loss", "val_loss")):
        assert list(curves[curve]) == [0, 1, 2]
        np.testing.assert_allclose(list(curves[curve].values()), history[name], rtol=1e-6)


def test_a_folder_without_events_says_so(tmp_path):
    with pytest.raises(MnistError, match="no event files here"):
        read_scalars(tmp_path)


def test_a_damaged_file_is_named(log_dir):
    folder, _ = log_dir
    path = next((folder / "train").glob("*.tfevents.*"))
    content = bytearray(path.read_bytes())
    content[-5] ^= 255
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=os.path.basename(path)):
        read_scalars(folder)
