"""How ranks start: one that waits for others in vain ends in time, and what killed ones left harms nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runkit.mpi.library import library_version
from tests.conftest import clean_environment

WORK = "from runkit.mpi import launch; launch(lambda world: print(f'rank {world.rank} of {world.size}', flush=True))"
SHARED = Path("/dev/shm")
SIZE = 1_061_440  # of what MPICH lays down for one rank


def named(pid: int) -> Path:
    return SHARED / f"mpich_shm_{pid:x}_0"


def is_mpich() -> bool:
    return "MPICH" in library_version()


@pytest.mark.parametrize("program", ["generator", "training"])
def test_ranks_that_wait_for_one_that_never_comes_end_in_time_with_one_line(program, mpiexec):
    """Rank 1 sleeps before it starts MPI, as one does whose host is out of reach."""
    start = "from runkit.mpi import connect" if program == "generator" else "from dtrain.join import find as connect"
    text = f"import os, time; {start}; time.sleep(60) if os.environ['PMI_RANK'] == '1' else connect()"
    done = mpiexec(2, "-c", text, env={"GLASSFLOW_START_SECONDS": "2"}, timeout=50)
    assert done.returncode == 75, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "rank 0 has waited 2 s for the other processes of its launch" in errors[0], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["-1", "soon", "100001"])
def test_a_wrong_time_to_start_is_one_line(value, mpiexec):
    done = mpiexec(2, "-c", WORK, env={"GLASSFLOW_START_SECONDS": value})
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count(f"error: GLASSFLOW_START_SECONDS = '{value}' is not allowed") == 1, done.stderr


@pytest.mark.skipif(not is_mpich(), reason="of MPICH alone")
@pytest.mark.parametrize("left", [0, SIZE], ids=["empty", "half made"])
def test_shared_memory_that_a_killed_process_of_the_same_number_left_keeps_nobody_from_starting(left, tmp_path):
    """MPICH alone waits for ever for somebody to finish it."""

    def leave() -> None:
        with open(named(os.getpid()), "wb") as file:
            file.truncate(left)

    process = subprocess.Popen(
        [sys.executable, "-c", WORK],
        env=clean_environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=leave,
    )
    try:
        assert process.communicate(timeout=60)[0] == "rank 0 of 1\n" and process.returncode == 0
    finally:
        process.kill()
        named(process.pid).unlink(missing_ok=True)


@pytest.mark.skipif(not is_mpich(), reason="of MPICH alone")
@pytest.mark.parametrize("ranks", [1, 3])
def test_ranks_that_are_killed_leave_no_shared_memory(ranks, mpiexec):
    text = "import time; from runkit.mpi import connect; world = connect(); print('on', flush=True); time.sleep(60)"
    before = set(SHARED.glob("mpich_shm_*"))
    process = mpiexec.start(ranks, "-c", text)
    assert process.stdout is not None
    said = ""
    while said.count("on") < ranks:  # lines of several ranks may come as one
        said += process.stdout.readline() or pytest.fail(f"the ranks ended: {said}")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert set(SHARED.glob("mpich_shm_*")) <= before
