"""A trained network as a SavedModel: a folder that other programs can run.

It offers two signatures, one for floats and one for bytes. Both check in the graph,
for every server, what they are given and what they answer;
:class:`ExportedClassifier` says what is wrong before the graph does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from mnistlib.errors import MnistError
from mnistlib.files import atomic_folder

if TYPE_CHECKING:
    import keras

FLOATS = "serving_default"
BYTES = "serving_bytes"
IMAGE_SHAPE = (28, 28)
INPUTS = {
    FLOATS: tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32, "images"),
    BYTES: tf.TensorSpec((None, *IMAGE_SHAPE), tf.uint8, "images"),
}
OUTPUTS = {
    "classes": tf.TensorSpec((None,), tf.int64, "classes"),
    "probabilities": tf.TensorSpec((None, 10), tf.float32, "probabilities"),
}
OVERFLOW = "the network's answer is NaN, not probabilities: train and export it anew"


class Answers(NamedTuple):
    """What a classifier says about a batch of images.

    Attributes
    ----------
    classes : numpy.ndarray
        int64, ``(batch,)``; the likeliest digit.
    probabilities : numpy.ndarray
        float32, ``(batch, 10)``; sum to 1 for each image.
    """

    classes: np.ndarray
    probabilities: np.ndarray


def export_classifier(model: keras.Model, folder: str | os.PathLike) -> Path:
    """Write a classifier as a SavedModel with named, shape-checked signatures.

    Parameters
    ----------
    model
        Takes float32 images from 0 to 1, ``(batch, 28, 28)`` or
        ``(batch, 28, 28, 1)``; gives logits ``(batch, 10)``.
    folder
        Where to write. TensorFlow Serving wants a version number as the last
        part, as in ``mnist/1``.

    Returns
    -------
    pathlib.Path
        The folder. Its signatures ``serving_default`` (float32 from 0 to 1) and
        ``serving_bytes`` (uint8) take ``images`` ``(batch, 28, 28)`` and give
        the fields of :class:`Answers`.

    Raises
    ------
    mnistlib.MnistError
        If the folder is there, before or when all is written; if the network takes
        or gives other shapes; or if one of its weights is infinite or NaN.
    """
    import keras  # here, so that a process that reads needs none

    image_shape = _check_network(model)

    def classify(images: tf.Tensor) -> dict[str, tf.Tensor]:
        # The specification of a signature isn't enforced; this is.
        images = tf.ensure_shape(images, (None, *IMAGE_SHAPE))
        in_range = tf.reduce_all((images >= 0) & (images <= 1))  # NaN isn't
        tf.debugging.Assert(in_range, ["pixels must be from 0 to 1"])
        logits = model(tf.reshape(images, (-1, *image_shape)), training=False)
        logits = tf.ensure_shape(logits, (None, 10))
        logits = tf.debugging.check_numerics(logits, OVERFLOW)
        return {"classes": tf.argmax(logits, axis=1), "probabilities": tf.nn.softmax(logits)}

    def classify_bytes(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify(tf.cast(images, tf.float32) / 255.0)

    with atomic_folder(folder) as scratch:
        archive = keras.export.ExportArchive()
        archive.track(model)
        for name, function in ((FLOATS, classify), (BYTES, classify_bytes)):
            archive.add_endpoint(name, function, input_signature=[INPUTS[name]])
        archive.write_out(str(scratch), verbose=False)
    return Path(folder)


def _check_network(model: keras.Model) -> tuple[int, ...]:
    """Return the shape in which a network takes an image; MnistError if it can't be exported."""
    # Networks that weren't built from an Input have neither.
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if shapes[0] not in ((None, 28, 28), (None, 28, 28, 1)) or shapes[1] != (None, 10):
        raise MnistError(
            f"the network turns {shapes[0]} into {shapes[1]}: a classifier of digits turns "
            "(None, 28, 28) or (None, 28, 28, 1) into logits (None, 10); None is the batch"
        )
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise MnistError(f"weight {weight.path} holds NaN or infinity: train the network anew")
    return shapes[0][1:]


class ExportedClassifier:
    """A classifier read from a SavedModel of :func:`export_classifier`.

    Needs TensorFlow, and nothing of the code that built the network.

    Raises
    ------
    mnistlib.MnistError
        If there is no SavedModel, or one with other signatures.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        if not tf.saved_model.contains_saved_model(str(folder)):
            raise MnistError(f"{folder}: no SavedModel here: give the folder of saved_model.pb")
        # The signatures belong to the loaded object and end with it.
        try:
            self._loaded = tf.saved_model.load(str(folder))
        except Exception as error:  # its class depends on the file that is damaged
            raise MnistError(f"{folder}: can't be loaded: {error}: export anew") from error
        for name, spec in INPUTS.items():
            signature = self._loaded.signatures.get(name)
            if (
                signature is None
                or signature.structured_input_signature[1] != {"images": spec}
                or signature.structured_outputs != OUTPUTS
            ):
                raise MnistError(
                    f"{folder}: no signature {name}, or one with other names or shapes: "
                    "write it with mnistlib.export.export_classifier"
                )

    def __call__(self, images: ArrayLike) -> Answers:
        """Turn images into :class:`Answers`.

        Parameters
        ----------
        images
            ``(batch, 28, 28)``, uint8, or float32 from 0 to 1.

        Raises
        ------
        mnistlib.MnistError
            If shape, type or range are others, or the network has no finite answer.
        """
        signature, images = _check_images(images)
        try:
            outputs = self._loaded.signatures[signature](images=tf.constant(images))
        except tf.errors.InvalidArgumentError as error:  # the images have been checked
            raise MnistError(OVERFLOW) from error
        answers = Answers(outputs["classes"].numpy(), outputs["probabilities"].numpy())
        if not np.isfinite(answers.probabilities).all():
            raise MnistError(OVERFLOW)
        return answers


def _check_images(images: ArrayLike) -> tuple[str, np.ndarray]:
    """Return the name of the signature for some images, and them as an array."""
    try:
        images = np.asarray(images)
    except ValueError as error:
        raise MnistError("images of different shapes: use (batch, 28, 28)") from error
    if images.shape[1:] != IMAGE_SHAPE:
        raise MnistError(
            f"images have shape {images.shape}: use (batch, 28, 28), "
            "and images[None] for a single one"
        )
    if images.dtype == np.uint8:
        return BYTES, images
    if images.dtype != np.float32:
        raise MnistError(
            f"images are {images.dtype}: use uint8 from 0 to 255, or float32 from 0 to 1"
        )
    if not (images.min(initial=0) >= 0 and images.max(initial=0) <= 1):  # NaN isn't, either
        raise MnistError(
            f"float images from {images.min():g} to {images.max():g}: "
            "use 0 to 1, or the uint8 pixels as they are"
        )
    return FLOATS, images
