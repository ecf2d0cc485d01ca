"""Far more ranks than cores: 64 on this machine, most of them with nothing to do, and the same bytes as on one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment
from tests.mpi.test_lbmgen import CASE as FLOW
from tests.mpi.test_lbmgen import arrays as flow_arrays
from tests.mpi.test_mdgen import CASE as GLASS
from tests.mpi.test_mdgen import arrays as glass_arrays

N_RANKS = 64
FORKED = Path(__file__).with_name("forked.py")
CASES = {
    "mdgen": ((*GLASS, "production.n_samples=2", "production.times=[0.05]"), (), glass_arrays),
    "lbmgen": ((*FLOW, "n_cases=2", "frames.count=1"), ("ranks_per_case=4",), flow_arrays),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """The socket of the process that forks ranks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ranks"
        modules = [f"{name}.run" for name in CASES]
        process = subprocess.Popen(
            [sys.executable, FORKED, "serve", path, *modules], env=clean_environment(), cwd=ROOT, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while not path.exists():
            assert process.poll() is None and time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
        yield path
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("name", CASES)
def test_sixty_four_ranks_on_few_cores_make_the_bytes_of_one(mpiexec, server, name):
    words, cut, arrays = CASES[name]
    for n, more in ((1, ()), (N_RANKS, cut)):
        done = mpiexec(n, "-S", FORKED, server, name, *words, *more, f"output={n}.h5")
        assert done.returncode == 0 and f"{n} rank" in done.stdout, done.stdout + done.stderr
    one, many = (arrays(mpiexec.directory / f"{n}.h5") for n in (1, N_RANKS))
    assert [field for field in one if one[field].tobytes() != many[field].tobytes()] == []
