"""Several processes train as one does; what goes wrong ends all of them with one error."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from mnistlib import tfrecord
from mnistlib.distributed import training
from mnistlib.distributed.launching import Worker, free_port, run, start
from mnistlib.distributed.parts import Part
from mnistlib.errors import ChecksumError, MnistError
from mnistlib.tfrecord.plain import read_shard

MODULE = "mnistlib.distributed"
STEPS = ["--batch-size", 64, "--learning-rate", 0.05, "--steps"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Examples that can be learned, in four shards."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 512)
    images = rng.integers(0, 256, (512, 28, 28), dtype=np.uint8) * (rng.random((512, 28, 28)) < 0.1)
    images[np.arange(512), labels] = 255
    folder = tmp_path_factory.mktemp("data") / "train"
    tfrecord.write(folder, {"image": images, "label": labels}, shard_size=128)
    return folder


@pytest.fixture(scope="module")
def losses(folder):
    """The loss of each step, of one process alone."""
    [ended] = run(1, folder, *STEPS, 20)
    assert list(ended.losses) == [*range(20)]
    return ended.losses


def assert_same(losses, expected):
    steps = list(losses)
    assert steps, "no step"
    np.testing.assert_allclose([losses[n] for n in steps], [expected[n] for n in steps], rtol=1e-5)


def error_of(worker):
    """The one line in which a worker says why it ended."""
    ended = worker.wait(60)
    assert ended.status == 1, ended
    [line] = ended.error.splitlines()
    return line


def test_plain_reading_is_tensorflow_s(tmp_path):
    rng = np.random.default_rng(0)
    examples = {
        "raw": rng.standard_normal((5, 2, 3)),
        "bytes": rng.integers(0, 255, (5, 4), dtype=np.uint8),
        "floats": rng.standard_normal(5).astype(np.float32),
        "integers": np.array([0, -1, 300, 2**62, -(2**63)]),
        "flags": np.array([True, False, True, True, False]),
    }
    manifest = tfrecord.write(tmp_path / "data", examples, shard_size=3)
    shards = [read_shard(tmp_path / "data", shard, manifest) for shard in manifest.shards]
    [batch] = tfrecord.read(tmp_path / "data", 5)
    for name, expected in examples.items():
        found = np.concatenate([shard[name] for shard in shards])
        assert found.dtype == expected.dtype and np.array_equal(found, expected)
        assert np.array_equal(batch[name].numpy(), expected)


def test_reading_finds_damage_and_needs_no_tensorflow(folder, tmp_path):
    packed = tfrecord.write(tmp_path / "packed", {"image": np.ones((2, 3))}, compression="GZIP")
    with pytest.raises(MnistError, match="is compressed"):
        read_shard(tmp_path / "packed", packed.shards[0], packed)
    with pytest.raises(MnistError, match="can't be read"):
        read_shard(tmp_path, packed.shards[0], tfrecord.Manifest.load(folder))
    copy = shutil.copytree(folder, tmp_path / "copy")
    shard = tfrecord.Manifest.load(copy).shards[1]
    with open(copy / shard.name, "r+b") as file:
        file.seek(200)
        file.write(b"!")
    with pytest.raises(ChecksumError, match=shard.name):
        Part(copy, 64, 0, 1)
    code = f"import sys, {MODULE}.training; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_parts_make_up_the_batch_in_order_and_any_step_can_be_had(folder):
    def first(*place, start=0):
        batches = Part(folder, 64, *place).batches(seed=3, first_step=start)
        return [next(batches) for _ in range(10 - start)]  # more than an epoch

    for whole, *halves in zip(first(0, 1), first(0, 2), first(1, 2), strict=True):
        for everything, parts in zip(whole, zip(*halves, strict=True), strict=True):
            assert np.array_equal(everything, np.concatenate(parts))
    assert all(map(np.array_equal, first(0, 1)[9], first(0, 1, start=9)[0]))
    epoch = np.concatenate([images for images, _ in first(0, 1)[:8]])
    assert len(np.unique(epoch, axis=0)) == 512


def test_two_processes_that_have_half_of_the_files_each_train_as_one_does(folder, losses, tmp_path):
    for process in range(2):
        shutil.copytree(folder, tmp_path / f"{process}")
        for shard in Part(folder, 64, 1 - process, 2).own:
            (tmp_path / f"{process}" / shard.name).unlink()
    first, second = run(2, tmp_path / "{process}", *STEPS, 20)
    assert_same(first.losses, losses)
    assert not second.losses and "process 1 of 2" in second.output
    assert len(first.losses) == 20 and losses[19] < losses[0]


def test_a_worker_that_stands_still_is_noticed(folder):
    first, second = start(2, folder, "--patience", 8, *STEPS, 10**6)
    first.wait_for("step 3 ")
    second.process.send_signal(signal.SIGSTOP)
    try:
        assert "no step in 8 s" in error_of(first)
    finally:
        second.process.kill()


def test_workers_that_don_t_meet_or_disagree(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "0")
    other = {"image": np.zeros((512, 28, 28), np.uint8), "label": np.zeros(512, np.int64)}
    tfrecord.write(tmp_path / "1", other, shard_size=128)
    disagree = start(2, tmp_path / "{process}", *STEPS, 1)
    # One waits for another that comes too late, or asks at another address.
    address = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2, "--patience", 4]
    for process in (0, 1):
        alone = Worker(MODULE, folder, *address, "--process", process)
        assert "they didn't meet in 4 s" in error_of(alone)
    for worker in disagree:
        assert "processes [1] have other data or settings" in error_of(worker)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(MnistError, match=f"{address}: process 0 can't listen there"):
            training.check_port(address)
    for address in ("nowhere", "127.0.0.1:99999", "127.0.0.1:x"):
        with pytest.raises(MnistError, match="can't listen"):
            training.check_port(address)


def test_what_does_not_fit_is_one_error(folder, monkeypatch):
    for batch_size, processes, message in [
        (64, 3, "4 shards can't be dealt evenly to 3 processes"),
        (64, 8, "4 shards can't be dealt evenly to 8 processes"),
        (30, 1, "can't be taken evenly from 4 shards"),
        (4096, 1, "no more than they hold"),
        (0, 1, "can't be taken"),
    ]:
        with pytest.raises(MnistError, match=message):
            Part(folder, batch_size, 0, processes)
    with pytest.raises(MnistError, match="can't be dealt evenly to"):
        training.batch_mesh(jax.device_count() - 1)
    kinds = [SimpleNamespace(device_kind=kind) for kind in ("one", "another")]
    monkeypatch.setattr(jax, "devices", lambda: kinds)
    with pytest.raises(MnistError, match="several kinds"):
        training.batch_mesh(64)
    with pytest.raises(MnistError, match="--processes without --coordinator"):
        raise MnistError(error_of(Worker(MODULE, folder, "--processes", 2)))


LAUNCHERS = {
    "mpirun": ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2"],
    "srun": ["srun", "--ntasks=2", "--overcommit", "--time=3"],
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_says_who_is_who(launcher, folder, losses):
    """``jax.distributed.initialize()`` without arguments, as on a cluster."""
    ready = {"mpirun": ["mpirun", "--version"], "srun": ["sinfo"]}[launcher]
    missing = not shutil.which(launcher) or subprocess.run(ready, capture_output=True).returncode
    if missing and not os.environ.get("CI"):
        pytest.skip(f"no {launcher} here: tools/launchers.sh installs it on Debian and Ubuntu")
    command = [*LAUNCHERS[launcher], sys.executable, "-m", MODULE, folder, "--cluster", *STEPS, 20]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    finished = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    found = re.findall(r"step (\d+) loss (\S+)", finished.stdout)
    assert len(found) == 20 and "process 1 of 2" in finished.stdout
    assert_same({int(number): float(loss) for number, loss in found}, losses)
