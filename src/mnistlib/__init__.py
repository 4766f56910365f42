"""The shared library behind the book on training neural networks on MNIST.

Things flow one way: files -> arrays -> pipeline -> network -> Result -> page.

- :mod:`mnistlib.data`: the digits as NumPy arrays; imports no framework.
- :mod:`mnistlib.pipelines`: the digits as ``tf.data`` pipelines.
- :mod:`mnistlib.tfrecord`: TFRecord files that are whole, and say when they aren't.
- :mod:`mnistlib.keras_models`: the networks of the Keras chapters.
- :mod:`mnistlib.tf_softmax`: softmax regression in low-level TensorFlow.
- :mod:`mnistlib.jax_mlp`, :mod:`mnistlib.jax_cnn`: those of the JAX chapters.
- :mod:`mnistlib.figures`: one style of figure, alt text required.
- :mod:`mnistlib.results`: what a chapter measured, and how sure it is.
"""

from mnistlib.errors import ChecksumError, DownloadError, FileFormatError, MnistError

__all__ = ["ChecksumError", "DownloadError", "FileFormatError", "MnistError"]
