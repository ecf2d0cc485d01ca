"""Far more ranks than cores: 64 on this machine, most of them with nothing to do, and the same bytes as on one."""

from __future__ import annotations

import pytest

from tests.mpi.test_lbmgen import CASE as FLOW
from tests.mpi.test_lbmgen import arrays as flow_arrays
from tests.mpi.test_mdgen import CASE as GLASS
from tests.mpi.test_mdgen import arrays as glass_arrays

N_RANKS = 64
CASES = {
    "mdgen": ((*GLASS, "production.n_samples=2", "production.times=[0.05]"), (), glass_arrays),
    "lbmgen": ((*FLOW, "n_cases=2", "frames.count=1"), ("ranks_per_case=4",), flow_arrays),
}


@pytest.mark.parametrize("name", CASES)
def test_sixty_four_ranks_on_few_cores_make_the_bytes_of_one(mpiexec, name):
    words, cut, arrays = CASES[name]
    alone = mpiexec(1, "-m", name, *words, "output=alone.h5")
    assert alone.returncode == 0, alone.stderr
    many = mpiexec(N_RANKS, "-m", name, *words, *cut, "output=many.h5")
    assert many.returncode == 0 and f"{N_RANKS} ranks" in many.stdout, many.stdout + many.stderr
    one, other = (arrays(mpiexec.directory / f"{which}.h5") for which in ("alone", "many"))
    assert [field for field in one if one[field].tobytes() != other[field].tobytes()] == []
