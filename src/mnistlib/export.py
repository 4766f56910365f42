"""A trained network as a SavedModel: a folder that other programs can run.

It offers two signatures, one for floats and one for bytes. Both check the shape
of what they are given, and :class:`ExportedClassifier` says what is wrong before
the graph does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from mnistlib.errors import MnistError
from mnistlib.files import atomic_folder

if TYPE_CHECKING:
    import keras

FLOATS = "serving_default"
BYTES = "serving_bytes"
DTYPES = {FLOATS: tf.float32, BYTES: tf.uint8}
IMAGE_SHAPE = (28, 28)


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
        ``serving_bytes`` (uint8) both take ``images`` ``(batch, 28, 28)`` and give
        ``classes`` and ``probabilities``, as :class:`Answers`.

    Raises
    ------
    mnistlib.MnistError
        If the folder exists, or the network doesn't take such images.
    """
    import keras  # here, so that a process that reads needs none

    folder = Path(folder)
    if folder.exists():
        raise MnistError(
            f"{folder}: exists, and a server may be reading it: export to the next version"
        )
    image_shape = tuple(model.input_shape[1:])
    if image_shape not in (IMAGE_SHAPE, (*IMAGE_SHAPE, 1)):
        raise MnistError(
            f"the network takes images of shape {image_shape}: a classifier of digits "
            "takes (28, 28) or (28, 28, 1)"
        )

    def classify(images: tf.Tensor) -> dict[str, tf.Tensor]:
        # The specification of a signature isn't enforced; this is.
        images = tf.ensure_shape(images, (None, *IMAGE_SHAPE))
        logits = model(tf.reshape(images, (-1, *image_shape)), training=False)
        return {
            "classes": tf.argmax(logits, axis=1),
            "probabilities": tf.nn.softmax(logits),
        }

    def classify_bytes(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify(tf.cast(images, tf.float32) / 255.0)

    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, function in ((FLOATS, classify), (BYTES, classify_bytes)):
        spec = tf.TensorSpec((None, *IMAGE_SHAPE), DTYPES[name], name="images")
        archive.add_endpoint(name, function, input_signature=[spec])
    with atomic_folder(folder) as scratch:
        archive.write_out(str(scratch), verbose=False)
    return folder


class ExportedClassifier:
    """A classifier read from a SavedModel of :func:`export_classifier`.

    Needs TensorFlow, and nothing of the code that built the network.

    Parameters
    ----------
    folder
        Where it was written.

    Raises
    ------
    mnistlib.MnistError
        If there is no SavedModel, or one with other signatures.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        if not tf.saved_model.contains_saved_model(str(folder)):
            raise MnistError(f"{folder}: no SavedModel here: give the folder of saved_model.pb")
        # The signatures belong to this object and end with it.
        self._loaded = tf.saved_model.load(str(folder))
        if missing := DTYPES.keys() - self._loaded.signatures.keys():
            raise MnistError(
                f"{folder}: no signature {', '.join(sorted(missing))}: "
                "write it with mnistlib.export.export_classifier"
            )

    def __call__(self, images: np.ndarray) -> Answers:
        """Classify images.

        Parameters
        ----------
        images
            ``(batch, 28, 28)``, uint8, or float32 from 0 to 1.

        Returns
        -------
        Answers
            One for each image.

        Raises
        ------
        mnistlib.MnistError
            If shape, type or range are others.
        """
        signature = check_images(images)
        outputs = self._loaded.signatures[signature](images=tf.constant(images))
        return Answers(outputs["classes"].numpy(), outputs["probabilities"].numpy())


def check_images(images: np.ndarray) -> str:
    """Check images before a signature gets them.

    Parameters
    ----------
    images
        ``(batch, 28, 28)``, uint8, or float32 from 0 to 1.

    Returns
    -------
    str
        The signature for them.

    Raises
    ------
    mnistlib.MnistError
        If shape, type or range are others.

    Examples
    --------
    >>> check_images(np.zeros((5, 28, 28), np.uint8))
    'serving_bytes'
    """
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1:] != IMAGE_SHAPE:
        raise MnistError(
            f"images have shape {images.shape}: use (batch, 28, 28), "
            "and images[None] for a single one"
        )
    for name, dtype in DTYPES.items():
        if images.dtype == dtype.as_numpy_dtype:
            if name == FLOATS and not (images.min(initial=0) >= 0 and images.max(initial=0) <= 1):
                raise MnistError(
                    f"float images from {images.min():g} to {images.max():g}: "
                    "use 0 to 1, or the uint8 pixels as they are"
                )
            return name
    raise MnistError(f"images are {images.dtype}: use uint8 from 0 to 255, or float32 from 0 to 1")


def rest_request(images: np.ndarray) -> dict[str, object]:
    """Write the body of a request to TensorFlow Serving, for ``json.dumps``.

    Parameters
    ----------
    images
        ``(batch, 28, 28)``, uint8, or float32 from 0 to 1.

    Returns
    -------
    dict
        To be sent by POST to ``http://HOST:8501/v1/models/NAME:predict``.

    Raises
    ------
    mnistlib.MnistError
        As :func:`check_images`.

    References
    ----------
    https://www.tensorflow.org/tfx/serving/api_rest
    """
    signature = check_images(images)
    return {"signature_name": signature, "instances": images.tolist()}


def rest_answer(answers: Answers) -> dict[str, object]:
    """Write the answer that TensorFlow Serving gives to such a request.

    Parameters
    ----------
    answers
        What the signature returned.

    Returns
    -------
    dict
        One object for each image. The server may print fewer digits of a number.

    References
    ----------
    https://www.tensorflow.org/tfx/serving/api_rest
    """
    return {
        "predictions": [
            {"classes": int(digit), "probabilities": row.tolist()}
            for digit, row in zip(*answers, strict=True)
        ]
    }
