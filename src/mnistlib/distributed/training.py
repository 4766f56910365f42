"""The network of the chapters on JAX, trained by all devices of all processes. No TensorFlow.

The chapter on many devices writes :func:`step`; a test keeps the two the same.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jax import Array, jit, value_and_grad
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float

from mnistlib.distributed.parts import Part, Settings, draw_params
from mnistlib.errors import MnistError
from mnistlib.jax_mlp import Params, cross_entropy, descend, one_hot
from mnistlib.tfrecord.manifest import FILE_NAME


@partial(jit, donate_argnames="params")
def step(
    params: Params,
    images: Float[Array, "batch pixels"],
    targets: Float[Array, "batch classes"],
    learning_rate: float,
) -> tuple[Params, Float[Array, ""]]:
    """Take one step of gradient descent; return the new parameters, and the loss before it."""
    loss, gradients = value_and_grad(cross_entropy)(params, images, targets)
    return descend(params, gradients, learning_rate), loss


def batch_mesh(batch_size: int) -> Mesh:
    """Return all devices of all processes in a row, along an axis called ``"batch"``.

    Raises
    ------
    mnistlib.MnistError
        If they are of several kinds, or a batch can't be dealt to them evenly.
    """
    devices = jax.devices()
    kinds = sorted({device.device_kind for device in devices})
    if len(kinds) > 1:
        raise MnistError(
            f"devices of several kinds ({', '.join(kinds)}): the slowest would hold up all; "
            "set JAX_PLATFORMS, or start on machines of one kind"
        )
    if batch_size < 1 or batch_size % len(devices):
        raise MnistError(
            f"batch_size={batch_size} can't be dealt evenly to {len(devices)} devices: "
            f"use a multiple of {len(devices)}"
        )
    return jax.make_mesh((len(devices),), ("batch",), (AxisType.Auto,), devices=devices)


def check_same(folder: Path, settings: Settings) -> None:
    """Compare what all processes are about to train on; MnistError if they disagree."""
    told = Path(folder, FILE_NAME).read_bytes() + repr(settings).encode()
    own = np.frombuffer(hashlib.sha256(told).digest()[:4], np.uint32)
    sums = np.ravel(multihost_utils.process_allgather(own))
    if others := np.flatnonzero(sums != sums[0]).tolist():
        raise MnistError(
            f"{folder}: processes {others} have other data or settings than process 0: "
            "copy one folder to all, and start all with the same arguments"
        )


def check_port(address: str) -> None:
    """Raise an MnistError if process 0 can't listen at the address: gRPC would share a port."""
    try:
        host, port = address.rsplit(":", 1)
        with socket.socket() as probe:
            # A port that a run before this one has just left is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
    except (OSError, ValueError, OverflowError) as error:
        raise MnistError(
            f"{address}: process 0 can't listen there ({error}): choose another address"
        ) from error


def train(
    folder: Path,
    settings: Settings,
    num_steps: int,
    checkpoints: Path | None = None,
    save_every: int = 10,
) -> Iterator[tuple[int, float]]:
    """Train until step ``num_steps``; give the number of each step and its loss, in nats.

    Parameters
    ----------
    folder
        As :class:`mnistlib.distributed.parts.Part` reads it.
    checkpoints
        Where to save to after each ``save_every`` steps, and to go on from.

    Raises
    ------
    mnistlib.MnistError
        If batch, devices, shards and processes don't fit, or processes disagree.
    """
    mesh = batch_mesh(settings.batch_size)
    part = Part(folder, settings.batch_size, jax.process_index(), jax.process_count())
    check_same(folder, settings)
    whole, dealt = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("batch"))
    params, first = jax.device_put(draw_params(settings.seed), whole), 0
    if checkpoints is not None:
        import orbax.checkpoint as ocp

        options = ocp.CheckpointManagerOptions(
            save_interval_steps=save_every, max_to_keep=2, enable_async_checkpointing=False
        )
        manager = ocp.CheckpointManager(Path(checkpoints).absolute(), options=options)
        if manager.latest_step() is not None:
            first = manager.latest_step()
            params = manager.restore(first, args=ocp.args.StandardRestore(params))
    batches = part.batches(settings.seed, first)
    for number, (images, labels) in zip(range(first, num_steps), batches, strict=False):
        local = images, np.asarray(one_hot(labels))
        batch = [jax.make_array_from_process_local_data(dealt, each) for each in local]
        params, loss = step(params, *batch, settings.learning_rate)
        if checkpoints is not None:
            manager.save(number + 1, args=ocp.args.StandardSave(params))
        yield number, float(loss)
