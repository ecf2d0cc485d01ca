"""A run of flow cases on several ranks: the same file for any number of them and any cut of the domain."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from runkit.dataset.check import check
from runkit.dataset.outcome import NOTHING_USABLE
from runkit.dataset.schema import COMPLETE, FAILED
from tests.files import arrays, assert_same
from tests.mpi.generation import generate

CASE = (
    "n_cases=3",
    "grid.cells=[24, 16]",
    "obstacles.diameter=3",
    "obstacles.families=[{family='circle'}, {family='blob', seed=[0, 99]}]",
    "flow.reynolds=[40, 60]",
    "frames.count=4",
    "frames.every=20",
    "frames.warm_up=0.2",
)
LONGER = ("n_cases=2", "frames.count=80", "frames.every=100", "checkpoint_seconds=0", "frames.points=80")


def run(mpiexec, n_ranks: int, name: str, *settings: str) -> Path:
    """The file of the case, from so many ranks."""
    return generate(mpiexec, "lbmgen", n_ranks, name, *CASE, *settings)


def test_the_file_is_the_same_for_any_ranks_and_any_cut_of_the_domain(mpiexec, alone):
    """One rank, two groups of two, one of three: not a byte depends on who computed it."""
    assert check(alone).good and arrays(alone)["computed"].tolist() == [COMPLETE] * 3
    for n_ranks, per_case in ((4, 2), (3, 3)):
        assert_same(alone, run(mpiexec, n_ranks, f"run{n_ranks}{per_case}", f"ranks_per_case={per_case}"))


def test_points_near_bodies_are_the_same_for_any_cut_of_the_domain_and_on_a_gpu(mpiexec):
    """A cut goes through the bodies; a failing check would name the points."""
    settings = ("n_cases=1", "frames.points=200", "obstacles.given=[{family='circle', center=[12, 8], size=4}]")
    alone = run(mpiexec, 1, "alone", *settings)
    found = arrays(alone)
    assert check(alone).good and np.isfinite(found["points/width"]).sum() > 190 and found["points/velocity"].any()
    assert_same(alone, run(mpiexec, 4, "four", *settings, "ranks_per_case=4"))
    done = mpiexec(2, "-m", "tests.shim", "lbmgen", *CASE, *settings, "ranks_per_case=2", "output=gpu.h5")
    assert done.returncode == 0, done.stderr
    assert_same(alone, mpiexec.directory / "gpu.h5")


@pytest.mark.parametrize(("way", "said"), [("device", "device buffers"), ("host", "through pinned host memory")])
def test_a_cut_domain_on_gpus_is_the_same_whichever_way_messages_go(mpiexec, way, said):
    """Two stand-ins share each case; the run says which way it is."""
    settings = (*CASE, "n_cases=1", "frames.count=1", "frames.every=5", "frames.force_every=5", "ranks_per_case=2")
    alone = run(mpiexec, 1, "alone", *settings[:-1])
    done = mpiexec(2, "-m", "tests.shim", "lbmgen", *settings, "output=cut.h5", env={"GLASSFLOW_MESSAGES": way})
    assert done.returncode == 0, done.stderr
    assert f"messages: {said} (GLASSFLOW_MESSAGES = {way})\n" in done.stdout
    assert_same(alone, mpiexec.directory / "cut.h5")


def test_three_dimensions_are_cut_alike(mpiexec):
    """A sphere on D3Q19 with walls, periodic in z, on one rank and on four."""
    settings = (
        "n_cases=1",
        "grid.lattice=D3Q19",
        "grid.cells=[16, 12, 12]",
        "grid.refinement=1",
        "obstacles.families=[{family='sphere'}]",
        "obstacles.diameter=4",
        "obstacles.upstream=1",
        "obstacles.downstream=1",
        "flow.reynolds=10",
        "boundaries.y_low.kind=no-slip",
        "frames.warm_up=0",
    )
    one = run(mpiexec, 1, "one", *settings)
    assert_same(one, run(mpiexec, 4, "four", *settings, "ranks_per_case=4"))
    found = arrays(one)
    assert found["t1_fields/velocity"].shape == (1, 4, 16, 12, 12, 3) and found["forces/side"].any()


def test_a_run_that_is_killed_ends_in_the_same_file(mpiexec):
    """SIGKILL of all ranks in the middle of a case, then other numbers of ranks: the file is the uninterrupted one."""
    whole = run(mpiexec, 2, "whole", *LONGER)
    part = mpiexec.directory / "killed.h5.part"
    n_kills = 0
    for n_ranks, per_case, moment in ((1, 1, 0.1), (3, 3, 0.5)):
        settings = (*CASE, *LONGER, f"ranks_per_case={per_case}", "output=killed.h5")
        process = mpiexec.start(n_ranks, "-m", "lbmgen", *settings)
        _wait_for(mpiexec.directory / "killed.h5.checkpoints", process)
        time.sleep(moment)
        n_kills += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if part.exists():
            assert set(np.unique(arrays(part, unfinished=True)["computed"])) <= {0, COMPLETE}
    assert n_kills, "the run is too short to be killed"
    assert_same(whole, run(mpiexec, 2, "killed", *LONGER))
    assert not (mpiexec.directory / "killed.h5.checkpoints").exists()


def test_the_death_of_one_rank_ends_all_and_is_mended_by_running_again(mpiexec):
    """A rank that dies takes the job with it: non-zero exit code, a file that can be finished."""
    process = mpiexec.start(3, "-m", "lbmgen", *CASE, *LONGER, "ranks_per_case=3", "output=run.h5")
    _wait_for(mpiexec.directory / "run.h5.checkpoints", process)
    children = psutil.Process(process.pid).children(recursive=True)
    ranks = [child for child in children if "lbmgen" in child.cmdline() and "python" in child.exe()]
    ranks[-1].kill()
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert check(run(mpiexec, 2, "run", *LONGER)).good


def test_a_case_that_diverges_is_marked_with_the_reason_and_the_others_go_on(mpiexec):
    """A force that drives the fluid faster and faster ends every case that it drives."""
    settings = ("flow.force=[6e-4, 0]", "boundaries.x_low.kind=periodic", "boundaries.x_high.kind=periodic")
    path = mpiexec.directory / "run.h5"
    done = mpiexec(2, "-m", "lbmgen", *CASE, *settings, "frames.count=30", "n_cases=2", "output=run.h5")
    assert done.returncode == NOTHING_USABLE and done.stderr.count("\n") == 1, done.stderr
    found = arrays(path)
    assert found["computed"].tolist() == [FAILED, FAILED] and "2 of 2 case(s) FAILED" in done.stdout
    assert all(b"allowed: up to 0.3" in reason for reason in found["failure"])
    assert all(np.isnan(found[name]).all() for name in found if name.startswith(("t0_", "t1_", "scalars/")))
    assert not check(path).good


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("settings", [(), ("frames.points=64",)], ids=["grid", "points"])
def test_the_well_reads_the_file(mpiexec, settings):
    """Its data set finds fields, scalars, grids and boundary conditions as they are in the file."""
    from the_well.data import WellDataset

    path = run(mpiexec, 2, "run", *settings)
    well = WellDataset(path=str(path.parent), n_steps_input=2, n_steps_output=1, use_normalization=False)
    found, sample = arrays(path), well[0]
    assert well.metadata.n_trajectories_per_file == [3] and well.metadata.spatial_resolution == (24, 16)
    np.testing.assert_array_equal(sample["input_fields"][..., 0], found["t0_fields/density"][0, :2])
    np.testing.assert_array_equal(sample["output_fields"][..., 1:], found["t1_fields/velocity"][0, 2:3])
    np.testing.assert_array_equal(sample["constant_fields"][..., 0], found["t0_fields/signed_distance"][0])
    assert sample["constant_scalars"][0] == pytest.approx(found["scalars/reynolds_number"][0])
    assert sample["boundary_conditions"].tolist() == [[1, 1], [0, 0]]  # open along x, walls along y


def test_going_on_with_another_configuration_is_refused(mpiexec, alone):
    """The keys that differ are named, with both values, and the exit code is 2."""
    shutil.copy(alone, mpiexec.directory / "run.h5")
    refused = mpiexec(2, "-m", "lbmgen", *CASE, "output=run.h5", "seed=2")
    assert "alone" not in refused.stderr, "where the file was written does not count"
    assert refused.returncode == 2 and len(refused.stderr.strip().splitlines()) == 1 and "seed" in refused.stderr


@pytest.mark.parametrize(
    "setting, words",
    [
        ("flow.reynolds=9000", ("flow.reynolds", "tau", "0.506")),
        ("ranks_per_case=5", ("ranks_per_case = 5", "1 to 2")),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(mpiexec, setting, words):
    """The line names the key, the value and what is allowed; no file is left."""
    refused = mpiexec(2, "-m", "lbmgen", *CASE, "output=run.h5", setting)
    assert refused.returncode == 2, refused.stdout
    assert all(word in refused.stderr for word in words), refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not list(mpiexec.directory.glob("run.h5*"))


def _wait_for(path: Path, process) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
