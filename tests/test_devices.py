"""What depends on the device, with the GPU hidden and with several devices.

A machine may have no GPU, one or more; code that asks for "the device" or counts them
would notice. Here the CPU plays several.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAM = """
import sys
import jax, pytest
import tensorflow as tf

[cpu] = tf.config.list_physical_devices("CPU")
one = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [one, one, one])
assert len(tf.config.list_logical_devices("CPU")) == len(jax.devices()) == 3
assert not tf.config.list_physical_devices("GPU") and jax.default_backend() == "cpu"
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("module", ["test_jax", "test_tf_softmax", "test_ways", "test_keras"])
def test_the_library_runs_on_one_of_several_devices(module):
    devices = {
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=3",
    }
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts="]
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, *options, HERE / f"{module}.py"],
        capture_output=True,
        text=True,
        env={**os.environ, **devices},
        cwd=HERE.parent,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
