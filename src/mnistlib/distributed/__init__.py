"""Training as one of several processes, each with its own part of the data.

``python -m mnistlib.distributed FOLDER`` trains the network of :mod:`mnistlib.jax_mlp` on a
folder of TFRecords, alone or as one of N: :mod:`mnistlib.distributed.training` has the
training, :mod:`mnistlib.distributed.launching` starts N such processes on one machine, and
:mod:`mnistlib.distributed.with_tensorflow` does the same in TensorFlow.
"""
