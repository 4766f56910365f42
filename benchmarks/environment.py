"""The environment of every benchmark: import this before any framework."""

import os

os.environ["MNISTLIB_SOURCE"] = "mnist"  # the sources' figures are of MNIST
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
