"""What Keras's callbacks leave to their user: seeds that survive a restart."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


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
        variables = self.model.variables
        states = [v for v in variables if v.name == "seed_generator_state"]
        for number, state in enumerate(states):
            sequence = np.random.SeedSequence([self.seed, epoch, number])
            state.assign(sequence.generate_state(2))
