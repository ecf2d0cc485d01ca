"""A generation run on several ranks: the same file for any number of them, whatever is killed on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from runkit.dataset.check import check
from runkit.dataset.outcome import PARTLY_FAILED
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED
from tests.files import arrays, assert_same
from tests.mpi.generation import generate

CASE = (
    "system.n_particles=160",
    "system.temperature=1.0",
    "initial.melt_time=0.2",
    "initial.cooling_time=0.5",
    "initial.hold_time=0.5",
    "production.n_samples=3",
    "production.n_replicas=12",
    "production.times=[0.05, 0.4]",
)
LONGER = ("production.times=[0.05, 20.0]", "checkpoint_seconds=0")


def run(mpiexec, n_ranks: int, name: str) -> Path:
    """The file of the case, from so many ranks."""
    return generate(mpiexec, "mdgen", n_ranks, name, *CASE)


def test_the_file_is_the_same_on_one_two_and_three_ranks(mpiexec, alone):
    """More samples than ranks and shares of replicas: not a byte depends on who computed it."""
    for n_ranks in (2, 3):
        assert_same(alone, run(mpiexec, n_ranks, f"run{n_ranks}"))
    assert check(alone).good


def test_more_ranks_than_samples_share_out_the_replicas(mpiexec):
    """One sample on three ranks is the same file as on one."""
    for n_ranks in (1, 3):
        done = mpiexec(n_ranks, "-m", "mdgen", *CASE, "production.n_samples=1", f"output=run{n_ranks}.h5")
        assert done.returncode == 0, done.stderr
    assert_same(mpiexec.directory / "run1.h5", mpiexec.directory / "run3.h5")


def test_a_run_that_is_killed_again_and_again_ends_in_the_same_file(mpiexec):
    """SIGKILL of all ranks at several moments, then other numbers of ranks: the result is the uninterrupted one."""
    whole = mpiexec(2, "-m", "mdgen", *CASE, *LONGER, "output=whole.h5")
    assert whole.returncode == 0, whole.stderr
    part = mpiexec.directory / "killed.h5.part"
    n_kills = 0
    for n_ranks, moment in ((1, 0.5), (3, 2.0)):
        process = mpiexec.start(n_ranks, "-m", "mdgen", *CASE, *LONGER, "output=killed.h5")
        _wait_for(part, process)
        time.sleep(moment)
        n_kills += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if part.exists():
            with Dataset(part, unfinished=True) as file:
                assert set(np.unique(file["propagated"][:])) <= {0, COMPLETE}
    assert n_kills, "the run is too short to be killed"
    done = mpiexec(3, "-m", "mdgen", *CASE, *LONGER, "output=killed.h5")
    assert done.returncode == 0, done.stderr
    assert "100 %" in done.stdout.split("propagate")[-1], "what was done before counts as to be done"
    assert_same(mpiexec.directory / "whole.h5", mpiexec.directory / "killed.h5")
    assert not (mpiexec.directory / "killed.h5.checkpoints").exists()


def test_the_death_of_one_rank_ends_all_and_is_mended_by_running_again(mpiexec):
    """A rank that dies takes the job with it: non-zero exit code, a file that can be finished."""
    process = mpiexec.start(3, "-m", "mdgen", *CASE, *LONGER, "output=run.h5")
    _wait_for(mpiexec.directory / "run.h5.part", process)
    children = psutil.Process(process.pid).children(recursive=True)
    ranks = [child for child in children if "mdgen" in child.cmdline() and "python" in child.exe()]
    ranks[-1].kill()
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert mpiexec(2, "-m", "mdgen", *CASE, *LONGER, "output=run.h5").returncode == 0
    assert check(mpiexec.directory / "run.h5").good


def test_a_blown_up_sample_is_marked_with_its_replica_and_the_others_go_on(mpiexec):
    """Two particles of a given configuration almost on one another: that sample fails, the next one is complete."""
    rng = np.random.default_rng(1)
    lattice = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1).reshape(-1, 3) * 1.0
    for name, close in (("bad", True), ("good", False)):
        position = lattice + rng.normal(0, 0.02, lattice.shape)
        if close:
            position[1] = position[0] + [1e-4, 0, 0]
        np.savez(mpiexec.directory / f"{name}.npz", initial_positions=position, types=np.zeros(216, int), box=6.0)
    case = ("initial.file=['bad.npz', 'good.npz']", "production.n_replicas=4", "production.times=[0.05]")
    done = mpiexec(2, "-m", "mdgen", *case, "output=run.h5")
    assert done.returncode == PARTLY_FAILED, done.stderr
    found = arrays(mpiexec.directory / "run.h5")
    assert found["labelled"].tolist() == [FAILED, COMPLETE]
    assert b"replica" in found["failure"][0] and found["failure"][1] == b""
    assert "1 of 2 sample(s) FAILED" in done.stdout


def test_checkpoints_of_another_run_are_not_used(mpiexec, alone):
    """What lies in the folder of checkpoints when a file is new is not gone on with."""
    stale = mpiexec.directory / "run.h5.checkpoints"
    stale.mkdir()
    (stale / "propagate-00000-0000.npz").write_bytes(b"of another run")
    assert mpiexec(1, "-m", "mdgen", *CASE, "output=run.h5").returncode == 0
    assert_same(alone, mpiexec.directory / "run.h5")


def test_going_on_with_another_configuration_is_refused(mpiexec, alone):
    """The keys that differ are named, with both values, and the exit code is 2."""
    shutil.copy(alone, mpiexec.directory / "run.h5")
    refused = mpiexec(2, "-m", "mdgen", *CASE, "output=run.h5", "seed=2", "system.temperature=0.9")
    assert "alone" not in refused.stderr, "where the file was written does not count"
    assert refused.returncode == 2 and len(refused.stderr.strip().splitlines()) == 1
    assert all(word in refused.stderr for word in ("seed", "system.temperature", "0.9", "1.0"))


@pytest.mark.parametrize(
    "settings, words",
    [
        (("system.n_particles=20",), ("system.n_particles = 20", "151")),
        (("system.potential=kob-anderson",), ("kob-anderson", "kob-andersen")),
        (("production.times=[1.0, 0.5]",), ("production.times", "ascend")),
        (("integrator.dt=0.5",), ("integrator.dt", "0.02")),
        (("sytem.density=1.0",), ("sytem", "system")),
        (("system.composition=[1.0]",), ("system.composition", "2 species")),
        (("initial.file=nowhere*.npz",), ("initial.file", "nowhere")),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(mpiexec, settings, words):
    """The line names the key, the value and what is allowed; no file is left."""
    refused = mpiexec(1 + settings[0].startswith("initial"), "-m", "mdgen", "output=run.h5", *settings)
    assert refused.returncode == 2
    assert all(word in refused.stderr for word in words), refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not list(mpiexec.directory.glob("run.h5*"))


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
