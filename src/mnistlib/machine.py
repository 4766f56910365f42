"""Which device computes here, and with which versions: what belongs to a result."""

from __future__ import annotations

import importlib
import os
import platform

# What computed a result, and the packages whose versions belong to it.
FRAMEWORKS = {
    "numpy": ("numpy",),
    "tensorflow": ("tensorflow", "keras", "tensorflow_datasets", "numpy"),
    "jax": ("jax", "jaxlib", "numpy"),
}


def current_device(framework: str) -> str:
    """Name the device that a framework computes on.

    Parameters
    ----------
    framework
        A key of ``FRAMEWORKS``.

    Returns
    -------
    str
        The first GPU's name, or ``"CPU with N cores"`` if it uses none.
    """
    if framework == "tensorflow":
        import tensorflow as tf

        if gpus := tf.config.list_physical_devices("GPU"):
            details = tf.config.experimental.get_device_details(gpus[0])
            return details.get("device_name", "GPU")
    if framework == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return jax.devices()[0].device_kind
    return f"CPU with {os.cpu_count()} cores"


def current_versions(framework: str) -> dict[str, str]:
    """Return the versions of Python and of a framework's packages, by their names.

    >>> sorted(current_versions("numpy"))
    ['numpy', 'python']
    """
    modules = [importlib.import_module(name) for name in FRAMEWORKS[framework]]
    return {
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in modules},
    }
