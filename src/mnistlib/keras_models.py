"""The networks of the Keras chapters, and of the drawing pad.

Chapters build theirs step by step; a test keeps the two the same.
"""

from __future__ import annotations

import keras


def softmax_regression() -> keras.Model:
    """Build the network without a hidden layer.

    Returns
    -------
    keras.Model
        Takes images ``(batch, 28, 28, 1)``, float32 from 0 to 1; gives logits
        ``(batch, 10)``, float32. Not compiled.
    """
    return keras.Sequential(
        [keras.Input(shape=(28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )


def mlp() -> keras.Model:
    """Build the network with one hidden layer of 128 units.

    Returns
    -------
    keras.Model
        Takes images ``(batch, 28, 28, 1)``, float32 from 0 to 1; gives logits
        ``(batch, 10)``, float32. Not compiled.

    References
    ----------
    https://www.tensorflow.org/datasets/keras_example
    """
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def dropout_mlp(output_activation: str | None = None) -> keras.Model:
    """Build the network with 512 hidden units, a fifth of them dropped in training.

    Parameters
    ----------
    output_activation
        None for logits, ``"softmax"`` for probabilities.

    Returns
    -------
    keras.Model
        Takes images ``(batch, 28, 28)``, float32 from 0 to 1; gives logits or
        probabilities ``(batch, 10)``, float32. Not compiled.

    References
    ----------
    The beginner's quickstart of TensorFlow, as it was in 2018.
    """
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10, activation=output_activation),
        ]
    )


def cnn() -> keras.Model:
    """Build the small convolutional network: two convolutions, each with a pooling.

    Returns
    -------
    keras.Model
        Takes images ``(batch, 28, 28, 1)``, float32 from 0 to 1; gives logits
        ``(batch, 10)``, float32. Not compiled.
    """
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def compile_classifier(
    model: keras.Model,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
    **options: object,
) -> keras.Model:
    """Compile a network that gives logits, for training with Adam.

    Parameters
    ----------
    model
        Gives logits ``(batch, num_classes)``.
    learning_rate
        Step size of Adam, without unit; or a schedule that gives it for each step.
    options
        Handed to :meth:`keras.Model.compile`, such as ``steps_per_execution``.

    Returns
    -------
    keras.Model
        The same network, compiled for integer labels.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        **options,
    )
    return model
