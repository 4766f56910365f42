"""``python -m mnistlib.draw``: train the networks of the drawing pad and keep their weights."""

from __future__ import annotations

import base64
import json

import keras
import numpy as np

from mnistlib.data import load
from mnistlib.data.resolve import MNIST
from mnistlib.draw import WEB, networks
from mnistlib.errors import MnistError
from mnistlib.files import atomic_write
from mnistlib.keras_models import compile_classifier

EPOCHS = {"softmax": 10, "mlp": 8, "cnn": 4}
BATCH_SIZE = 100


def main() -> None:
    mnist = load()
    if mnist.source.name != MNIST:
        raise MnistError(
            f"these networks are trained on MNIST, and here are the {mnist.source.name}"
        )
    train, test = (split.images[..., None] / np.float32(255) for split in (mnist.train, mnist.test))
    for name, epochs in EPOCHS.items():
        keras.utils.set_random_seed(0)
        steps = epochs * len(train) // BATCH_SIZE
        rate = keras.optimizers.schedules.CosineDecay(0.002, steps)
        model = compile_classifier(networks.NETWORKS[name](), rate, steps_per_execution=25)
        model.fit(train, mnist.train.labels, BATCH_SIZE, epochs, verbose=0)
        path = networks.write(name, model)
        answers = [net.predict(test, verbose=0).argmax(1) for net in (model, networks.read(name))]
        scores = [f"{(each == mnist.test.labels).mean():.4f}" for each in answers]
        print(f"{path.name}: accuracy {scores[0]}, in bytes {scores[1]}; {path.stat().st_size:,} B")
    firsts = [int(np.argmax(mnist.test.labels == label)) for label in range(10)]
    digits = [
        {"index": i, "pixels": base64.b64encode(mnist.test.images[i].tobytes()).decode()}
        for i in firsts
    ]
    with atomic_write(WEB / "digits.js") as file:
        file.write(f"mnist.digits = {json.dumps(digits)};\n".encode())


if __name__ == "__main__":
    main()
