"""Fail unless both TensorFlow and JAX see a GPU.

    python tools/check_gpu.py

Without this, chapters on a machine whose driver doesn't fit would run on its CPU,
and pass.
"""

from __future__ import annotations

import os
import sys

# Each would take all of the GPU's memory for itself.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

from mnistlib.machine import current_device, current_versions


def main() -> int:
    missing = []
    for framework in ("tensorflow", "jax"):
        device = current_device(framework)
        versions = current_versions(framework)
        print(f"{framework}: {device}; {versions}")
        if device.startswith("CPU"):
            missing.append(framework)
    if missing:
        print(
            f"no GPU for {' and '.join(missing)}: look at what nvidia-smi says, and at "
            "requirements-gpu.txt for the CUDA version that is wanted",
            file=sys.stderr,
        )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
