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
    cpu = f"CPU with {os.cpu_count()} cores"
    if framework == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return details.get("device_name", "GPU") if gpus else cpu
    if framework == "jax":
        import jax

        return cpu if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
    return cpu


def current_versions(framework: str) -> dict[str, str]:
    """Return the versions of Python and of a framework's packages.

    Parameters
    ----------
    framework
        A key of ``FRAMEWORKS``.

    Returns
    -------
    dict of str to str
        ``{"python": "3.11.7", "numpy": "2.4.6", ...}``
    """
    modules = [importlib.import_module(name) for name in FRAMEWORKS[framework]]
    return {
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in modules},
    }
