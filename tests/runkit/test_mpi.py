"""Ranks and shares, as far as one process can tell."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from runkit import launcher
from runkit.errors import UserError
from runkit.launcher import mpi_launch, this_launch, torch_launch
from runkit.mpi import Messages, SerialWorld, World, share, single_threaded
from tests.conftest import clean_environment
from tests.worlds import check


@pytest.mark.parametrize(("n_items", "size"), list(itertools.product([0, 1, 7, 64], [1, 2, 3, 10])))
def test_shares_cover_all_items_once_and_evenly(n_items, size):
    shares = [share(n_items, rank, size) for rank in range(size)]
    assert list(itertools.chain(*shares)) == list(range(n_items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_rank_without_mpi_does_what_a_world_promises():
    check(SerialWorld())


def test_a_world_without_all_its_methods_cannot_be_made():
    class Deaf(World):
        def barrier(self) -> None:
            pass

    with pytest.raises(TypeError, match=r"abstract methods? .*all_gather.*bcast.*shared_counter"):
        Deaf()


def test_messages_without_mpi_are_refused_where_there_are_any():
    messages = Messages(SerialWorld(), [], [])
    messages.start()
    messages.wait()
    with pytest.raises(TypeError, match="messages go through MPI, which has not joined the ranks of a SerialWorld"):
        Messages(SerialWorld(), [(0, 1, np.zeros(3))], [])


@pytest.fixture
def environment(monkeypatch):
    for name in list(os.environ):
        if name not in clean_environment() or name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            monkeypatch.delenv(name)
    return lambda **variables: [monkeypatch.setenv(name, value) for name, value in variables.items()]


def test_a_plain_process_was_not_launched(environment):
    assert mpi_launch() is None and this_launch().rank == 0


def test_a_batch_script_is_not_a_job_step(environment):
    environment(SLURM_PROCID="0", SLURM_NTASKS="64")
    assert mpi_launch() is None


def test_a_job_step_is_a_launch(environment):
    environment(SLURM_PROCID="3", SLURM_STEP_NUM_TASKS="64", SLURM_STEP_ID="0")
    launched = mpi_launch()
    assert launched is not None and (launched.launcher, launched.rank, launched.size) == ("srun", 3, 64)


def test_torch_ranks_are_no_mpi_ranks(environment):
    environment(RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    assert mpi_launch() is None and this_launch().rank == 0 and torch_launch().rank == 1


def test_torch_ranks_without_an_address_are_refused_because_they_may_be_left_over(environment):
    environment(RANK="1", WORLD_SIZE="2")
    with pytest.raises(UserError, match="RANK, WORLD_SIZE = 1, 2, but MASTER_ADDR and MASTER_PORT are not set"):
        torch_launch()


OF_A_DAEMON = "SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 SLURM_STEP_ID=0"  # which Slurm has started for mpirun


@pytest.mark.parametrize(
    ("variables", "name", "rank", "size"),
    [
        ("PALS_APID=a PALS_RANKID=2 PMI_RANK=2 PMI_SIZE=4", "PALS", 2, 4),
        ("FLUX_JOB_ID=f FLUX_TASK_RANK=1 FLUX_JOB_SIZE=3", "flux", 1, 3),
        ("MV2_COMM_WORLD_RANK=1 MV2_COMM_WORLD_SIZE=2", "mpirun_rsh", 1, 2),
        ("MVP_COMM_WORLD_RANK=0 MVP_COMM_WORLD_SIZE=2", "mpirun_rsh", 0, 2),
        (f"OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 {OF_A_DAEMON}", "mpirun", 1, 2),
    ],
)
def test_launchers_are_known_by_their_variables(environment, variables, name, rank, size):
    environment(**dict(pair.split("=") for pair in variables.split()))
    launched = mpi_launch()
    assert launched is not None and (launched.launcher, launched.rank, launched.size) == (name, rank, size)


def test_torch_variables_that_contradict_a_launcher_that_shows_itself_are_named(environment, monkeypatch):
    monkeypatch.setattr(launcher, "_ancestors", lambda: (launcher._Process("7", ("mpiexec", "-n", "2")),))
    environment(RANK="1", WORLD_SIZE="4", MASTER_ADDR="127.0.0.1", MASTER_PORT="1", PMI_RANK="0", PMI_SIZE="2")
    with pytest.raises(UserError, match="RANK, WORLD_SIZE = 1, 4, but mpiexec says PMI_RANK, PMI_SIZE = 0, 2"):
        torch_launch()


@pytest.mark.parametrize("rank", ["x", "-1", "2", "", "1e0"])
def test_senseless_variables_are_no_launch(environment, rank):
    environment(PMI_RANK=rank, PMI_SIZE="2")
    assert mpi_launch() is None


RANKS = "from runkit.mpi import launch; launch(lambda world: print(f'rank {world.rank} of {world.size}'))"


def test_a_launcher_of_another_mpi_library_is_noticed(tmp_path):
    """Each process sees itself alone where the launcher started two."""
    mpirun = tmp_path / "mpirun"
    mpirun.write_text('#!/bin/sh\n"$@"\nexit $?\n')
    mpirun.chmod(0o755)
    done = subprocess.run(
        [mpirun, sys.executable, "-c", RANKS],
        env=clean_environment() | {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "rank" not in done.stdout
    assert "mpirun started 2 processes, but MPI sees 1" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["mdgen", "lbmgen"])
def test_threads_are_limited_before_numpy_looks(program):
    code = f"import sys, {program}.__main__; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=clean_environment(), timeout=60).returncode == 0


def test_nothing_is_connected_at_import():
    code = (
        "import sys, runkit.mpi, runkit.cli, runkit.log, runkit.dataset.writer; sys.exit('mpi4py.MPI' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=clean_environment(), timeout=60).returncode == 0


def test_one_thread_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "4")
    single_threaded()
    assert os.environ["OMP_NUM_THREADS"] == "1" and os.environ["NUMBA_NUM_THREADS"] == "4"
