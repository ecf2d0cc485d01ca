"""Runs over two hosts that share files alone: equal bytes, trainings, and a host that vanishes in mid-run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment
from tests.files import assert_same
from tests.flow_factory import write_flow
from tests.mpi.test_lbmgen import CASE
from tests.real.test_launches import RECIPE
from tests.services import cluster
from tests.services.cluster import HUNG, Cluster, Host, wait_until
from tests.services.test_slurm import LONG, alone

pytestmark = pytest.mark.timeout(1800)
PATIENCE = 8  # seconds until a host counts as lost
RUNS = {
    "mdgen": LONG,
    "lbmgen": ("lbmgen", *CASE, "n_cases=2", "frames.count=100", "frames.every=100", "checkpoint_seconds=0"),
}


@pytest.fixture(scope="module")
def hosts(scratch: Path) -> Iterator[Cluster]:
    """Two hosts, `first` and `second`, that reach each other by ssh."""
    if lacking := cluster.missing():
        pytest.skip(f"no hosts of their own here: {lacking}")
    two = Cluster(scratch, ("first", "second"))
    try:
        wait_until(lambda: two.hosts["first"].run("ssh", "second", "true").returncode == 0, "ssh does not answer")
        yield two
    finally:
        two.close()


def environment() -> dict[str, str]:
    """Messages go over the wire, as between machines: UCX would find that both hosts share this one's memory."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = {"UCX_TLS": "self,tcp", "GLASSFLOW_HOST_SECONDS": str(PATIENCE), "DS_ACCELERATOR": "cpu"}
    return clean_environment() | settings | {"PATH": path}


def start(first: Host, *words: str | Path) -> subprocess.Popen[str]:
    """A program on two ranks of each host, or on one of each for training."""
    n_each = 1 if "dtrain" in str(words[0]) else 2
    placed = ["mpiexec", "-hosts", "first,second", "-ppn", str(n_each), "-n", str(2 * n_each)]
    return first.start(*placed, sys.executable, *words, env=environment())


def assert_ends_in_time(process: subprocess.Popen[str], codes: tuple[int, ...] = (75,)) -> None:
    """With code 75 and one line that names the host; a busy machine may need longer."""
    since = time.monotonic()
    out, err = process.communicate(timeout=PATIENCE + 60)
    assert process.returncode in codes, out + err
    errors = [line for line in err.splitlines() if "error: " in line]
    assert len(errors) == 1 and f"host second has not answered for {PATIENCE} s" in errors[0], err
    assert time.monotonic() - since >= PATIENCE / 2 and "Traceback" not in err


@pytest.fixture(scope="module")
def by_one_host(hosts: Cluster) -> dict[str, Path]:
    """What each generator makes on one rank; its kernels are compiled then."""
    return {name: alone(hosts.folder, words, f"{name}-alone.h5") for name, words in RUNS.items()}


@pytest.mark.parametrize("name", RUNS)
def test_a_host_that_vanishes_ends_a_run_in_time_and_run_again_it_makes_the_bytes_of_one_host(
    hosts: Cluster, by_one_host: dict[str, Path], name: str
):
    words = ("-m", *RUNS[name], *(["ranks_per_case=4"] if name == "lbmgen" else []), f"output={name}.h5")
    first, second = hosts.hosts.values()
    process = start(first, *words)
    checkpoints = hosts.folder / f"{name}.h5.checkpoints"
    wait_until(lambda: any(checkpoints.glob("*")) or process.poll() is not None, "no checkpoint")
    hosts.unplug("second")
    try:
        assert_ends_in_time(process)
        wait_until(lambda: name not in second.run("ps", "ax").stdout, "ranks of the lost host go on", 30)
    finally:
        hosts.plug("second")
    again = start(first, *words)
    out, err = again.communicate(timeout=HUNG)
    assert again.returncode == 0 and "resumed" in out, out + err
    assert_same(by_one_host[name], hosts.folder / f"{name}.h5")


@pytest.fixture
def training(hosts: Cluster) -> tuple[str | Path, ...]:
    """The words of a training that takes a while, and its folder."""
    (hosts.folder / "recipe.toml").write_text(RECIPE.replace("epochs = 1", "epochs = 1000"))
    if not (hosts.folder / "flow.h5").exists():
        write_flow(hosts.folder / "flow.h5", n_cases=3, n_frames=8)
    return ROOT / "dtrain/train.py", "recipe.toml", "device=cpu", "threads=1", "data.file=flow.h5", "validate_every=5"


def free_port(host: Host) -> str:
    text = "import socket; probe = socket.socket(); probe.bind(('', 0)); print(probe.getsockname()[1])"
    return host.run(sys.executable, "-c", text).stdout.strip()


def by_hostfile(hosts: Cluster, *words: str | Path) -> subprocess.Popen[str]:
    """A training by the launcher of DeepSpeed, which reaches hosts by ssh."""
    first = hosts.hosts["first"]
    (hosts.folder / "hostfile").write_text("first slots=1\nsecond slots=1\n")
    names = ("PATH", "DS_ACCELERATOR", "GLASSFLOW_HOST_SECONDS", "OMP_NUM_THREADS")
    (hosts.folder / ".deepspeed_env").write_text("".join(f"{name}={environment()[name]}\n" for name in names))
    place = ("--hostfile", hosts.folder / "hostfile", "--master_addr", "first", "--master_port", free_port(first))
    return first.start("deepspeed", *place, *words, env=environment())


def by_mpi_without_ssh(hosts: Cluster, *words: str | Path) -> subprocess.Popen[str]:
    """A training by mpiexec, whose daemons are started on each host by hand, as a batch system does."""
    placed = ("mpiexec", "-launcher", "manual", "-hosts", "first,second", "-ppn", "1", "-n", "2")
    process = hosts.hosts["first"].start(*placed, sys.executable, *words, env=environment())
    assert process.stdout is not None
    commands = list(iter(process.stdout.readline, "HYDRA_LAUNCH_END\n"))
    for host, command in zip(hosts.hosts.values(), commands, strict=True):
        host.start("sh", "-c", command.removeprefix("HYDRA_LAUNCH: "), env=environment(), log="daemons")
    return process


LAUNCHERS = {"hostfile": by_hostfile, "mpi": by_mpi_without_ssh}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_training_over_two_hosts_ends_in_time_if_one_vanishes_and_then_goes_on(hosts: Cluster, training, launcher):
    words = (*training, f"name={launcher}")
    process = LAUNCHERS[launcher](hosts, *words)
    run = hosts.folder / "runs" / launcher
    wait_until(lambda: any(run.rglob("latest")) or process.poll() is not None, "no checkpoint")
    hosts.unplug("second")
    try:
        # pdsh waits until ssh gives the host up, and says 255 for it.
        assert_ends_in_time(process, codes=(75, 255) if launcher == "hostfile" else (75,))
        wait_until(lambda: "train.py" not in hosts.hosts["second"].run("ps", "ax").stdout, "the lost rank goes on", 30)
    finally:
        hosts.plug("second")
    again = by_mpi_without_ssh(hosts, *words, "minutes=0.05")
    out, err = again.communicate(timeout=HUNG)
    assert re.search(r"goes on after step [1-9]", out) and "the same command goes on" in out, out + err
    assert again.returncode == 75, err
