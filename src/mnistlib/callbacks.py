"""What Keras's callbacks leave to their user: seeds that survive a restart, and
the numbers that TensorBoard's files hold.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mnistlib.errors import FileFormatError, MnistError


class SeedEpochs(keras.callbacks.Callback):
    """Let what is random in an epoch depend on the epoch's number alone.

    ``keras.callbacks.BackupAndRestore`` keeps weights, the optimizer's state and
    the number of epochs done, but neither the order of the examples nor the state
    of dropout. With this callback, training that was killed and started again
    draws what an undisturbed one draws.

    Parameters
    ----------
    seed
        Another seed gives other random numbers.

    Attributes
    ----------
    epoch : tf.Variable
        int64, on the CPU; the number of the epoch, counted from 0, for
        :func:`mnistlib.pipelines.resumable_pipeline`.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        with tf.device("CPU"):  # where tf.data reads it
            self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the number of the epoch and the state of every seed generator."""
        self.epoch.assign(epoch)
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        for number, state in enumerate(states):
            sequence = np.random.SeedSequence([self.seed, epoch, number])
            state.assign(sequence.generate_state(2))


def read_scalars(folder: str | os.PathLike) -> dict[str, dict[int, float]]:
    """Read the numbers that ``keras.callbacks.TensorBoard`` wrote.

    Parameters
    ----------
    folder
        Its ``log_dir``.

    Returns
    -------
    dict of str to dict of int to float
        For each curve, named as in TensorBoard (``"train/epoch_loss"``), its values
        by step, in the order of the steps. Of values for the same step, the one
        written last counts.

    Raises
    ------
    mnistlib.MnistError
        If there are no event files.
    mnistlib.FileFormatError
        If one of them is damaged.
    """
    folder = Path(folder)
    paths = sorted(folder.rglob("*.tfevents.*"))
    if not paths:
        raise MnistError(
            f"{folder}: no event files here: give the log_dir of the TensorBoard callback"
        )
    found = defaultdict(list)
    for path in paths:
        run = path.parent.relative_to(folder)
        try:
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                event = tf.compat.v1.Event.FromString(record)
                for value in event.summary.value:
                    if value.metadata.plugin_data.plugin_name == "scalars":
                        number = float(tf.make_ndarray(value.tensor))
                        written = (event.step, event.wall_time, number)
                        found[(run / value.tag).as_posix()].append(written)
        except tf.errors.DataLossError as error:
            raise FileFormatError(
                f"{path}: a record is damaged: was the writing process killed? "
                "Delete the file or let the training write it anew"
            ) from error
    return {
        curve: {step: number for step, _, number in sorted(values)}
        for curve, values in sorted(found.items())
    }
