"""Far more ranks than cores: 64 on this machine, most of them with nothing to do, and the same bytes as on one."""

from __future__ import annotations

import json

import pytest

from tests.files import assert_same
from tests.mpi.test_lbmgen import CASE as FLOW
from tests.mpi.test_mdgen import CASE as GLASS

N_RANKS = 64
# Both generators in the same processes: what these cost is their imports.
BOTH = """
import json, runpy, sys
for words in json.loads(sys.argv[1]):
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
"""


@pytest.mark.timeout(600)
def test_sixty_four_ranks_on_few_cores_make_the_bytes_of_one(mpiexec):
    glass = ["mdgen", *GLASS, "production.n_samples=2", "production.times=[0.05]"]
    flow = ["lbmgen", *FLOW, "n_cases=2", "frames.count=1"]
    for n, cut in ((1, []), (N_RANKS, ["ranks_per_case=4"])):
        programs = [[*glass, f"output=glass{n}.h5"], [*flow, *cut, f"output=flow{n}.h5"]]
        done = mpiexec(n, "-c", BOTH, json.dumps(programs), timeout=500)
        assert done.returncode == 0 and done.stdout.count(f"{n} rank") >= 2, done.stdout + done.stderr
    for name in ("glass", "flow"):
        assert_same(*(mpiexec.directory / f"{name}{n}.h5" for n in (1, N_RANKS)))
