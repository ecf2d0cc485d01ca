"""Ranks and shares, as far as one process can tell."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest

from runkit.errors import UserError
from runkit.launcher import mpi_launch, this_launch
from runkit.mpi import SerialWorld, share, single_threaded
from tests.conftest import clean_environment


@pytest.mark.parametrize(("n_items", "size"), list(itertools.product([0, 1, 7, 64], [1, 2, 3, 10])))
def test_shares_cover_all_items_once_and_evenly(n_items, size):
    shares = [share(n_items, rank, size) for rank in range(size)]
    assert list(itertools.chain(*shares)) == list(range(n_items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_rank_without_mpi_is_a_world():
    world = SerialWorld()
    assert world.is_root and list(world.share(3)) == [0, 1, 2]
    assert (world.bcast(1), world.gather(1), world.allgather(1), world.sum(2), world.max(3)) == (1, [1], [1], 2, 3)
    assert world.split(0).size == 1 and world.on_root(max, 1, 2) == 2


def test_an_error_of_root_is_raised():
    def fail():
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        SerialWorld().on_root(fail)


@pytest.fixture
def environment(monkeypatch):
    for name in ("PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
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
    environment(RANK="1", WORLD_SIZE="2")
    assert mpi_launch() is None and this_launch().rank == 1


def test_a_launcher_of_another_mpi_library_is_noticed():
    """Each process sees itself alone where the launcher started two."""
    code = "from runkit.mpi import launch; launch(lambda world: print('ran'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment() | {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "ran" not in done.stdout
    assert "mpirun started 2 processes, but MPI sees 1" in done.stderr and "Traceback" not in done.stderr


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
