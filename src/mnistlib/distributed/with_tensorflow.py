"""The same training in TensorFlow: ``python -m mnistlib.distributed.with_tensorflow --help``.

``TF_CONFIG`` in the environment says which process this is, as TensorFlow has it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from mnistlib.distributed.parts import Part, Settings, draw_params


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m mnistlib.distributed.with_tensorflow")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--fit", action="store_true", help="then let Keras try")
    options = parser.parse_args(arguments)
    config = json.loads(os.environ["TF_CONFIG"])
    process, workers = config["task"]["index"], config["cluster"]["worker"]
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    settings = Settings()
    part = Part(options.folder, settings.batch_size, process, len(workers))
    step = make_step(strategy, settings)
    for number, (images, labels) in zip(
        range(options.steps), batches(strategy, part), strict=False
    ):
        loss = float(step(images, labels))
        if process == 0:
            print(f"step {number} loss {loss!r}", flush=True)
    if options.fit:
        print(keras_fit(strategy, part), flush=True)
    return 0


def batches(strategy: tf.distribute.Strategy, part: Part) -> tf.distribute.DistributedDataset:
    """Hand over each process's own batches as a strategy wants them."""
    signature = tf.TensorSpec([None, 784]), tf.TensorSpec([None], tf.int64)

    def own(context: tf.distribute.InputContext) -> tf.data.Dataset:
        return tf.data.Dataset.from_generator(
            lambda: part.batches(Settings().seed), output_signature=signature
        )

    return strategy.distribute_datasets_from_function(own)


def make_step(
    strategy: tf.distribute.Strategy, settings: Settings
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return one step of gradient descent, which takes a batch and gives the loss."""
    with strategy.scope():
        params = [[tf.Variable(each) for each in pair] for pair in draw_params(settings.seed)]
    variables = [variable for pair in params for variable in pair]

    def on_replica(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            activations = images
            for weights, biases in params[:-1]:
                activations = tf.nn.relu(activations @ tf.transpose(weights) + biases)
            weights, biases = params[-1]
            logits = activations @ tf.transpose(weights) + biases
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses) / settings.batch_size
        gradients = tape.gradient(loss, variables)
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(settings.learning_rate * gradient)
        return loss

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(on_replica, args=(images, labels)), axis=None)

    return step


def keras_fit(strategy: tf.distribute.Strategy, part: Part) -> str:
    """Return what Keras says when it is asked to fit under this strategy."""
    import keras

    with strategy.scope():
        model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = next(part.batches(Settings().seed))
    try:
        model.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(32), verbose=0)
    except Exception as error:
        return f"fit fails: {type(error).__name__}: {' '.join(str(error).split())}"
    return "fit works"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
