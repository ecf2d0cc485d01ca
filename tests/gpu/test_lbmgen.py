"""Flow on a real GPU has the bits of flow on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.block import advance
from lbmgen.collisions import collision
from lbmgen.lattices import LATTICES
from tests.conftest import ROOT
from tests.lbmgen.flows import FACES, Setting, assert_same_bits, assert_same_flow, ramp
from tests.lbmgen.test_gpu import FORCE, assert_same_file, assert_same_front

LARGE = {"D2Q9": (300, 517), "D3Q19": (40, 50, 70), "D3Q27": (40, 50, 70)}  # many blocks of threads, in any order


@pytest.fixture(params=["from the cache", "from memory"])
def either(request, gpu, monkeypatch):
    """With the cache that it has, which holds small flows, and with none."""
    if request.param == "from memory":
        monkeypatch.setattr(gpu, "l2_bytes", 0)
    return gpu


@pytest.mark.parametrize(("dtype", "force"), [("float32", None), ("float64", FORCE)])
@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("lattice", LATTICES)
def test_every_law_has_the_same_bits(either, lattice, law, dtype, force):
    assert_same_flow(Setting(lattice, law, dtype, force), either)


@pytest.mark.parametrize("n_steps", [1, 6])
@pytest.mark.parametrize("lattice", ["D2Q9", "D3Q19"])
@pytest.mark.parametrize("faces", FACES)
def test_every_face_has_the_same_bits(either, faces, lattice, n_steps):
    assert_same_flow(Setting(lattice, faces=FACES[faces]), either, n_steps)


def test_the_faintest_numbers_have_the_same_bits(gpu):
    assert_same_front(gpu)


@pytest.mark.parametrize("faces", FACES)
@pytest.mark.parametrize("lattice", LATTICES)
def test_large_domains_have_the_same_bits(either, lattice, faces):
    """Races of threads would show: 60 steps of the widest mix of boundaries."""
    setting = Setting(lattice, faces=FACES[faces], radius=11.3, shape=LARGE[lattice])
    ours, theirs = setting.block(either), setting.block()
    np.testing.assert_array_equal(ours.advance(ramp(60)), theirs.advance(ramp(60)))
    assert ours.arrived().tobytes() == theirs.arrived().tobytes()


def test_many_flows_take_their_steps_together_as_each_does_alone(either):
    settings = [Setting(faces=FACES["outlets that meet"], tau=0.55 + k / 50, radius=1 + k / 20) for k in range(40)]
    together, alone = [one.block(either) for one in settings], [one.block() for one in settings]
    for found, block in zip(advance(together, np.stack([ramp(21)] * 40)), alone, strict=True):
        np.testing.assert_array_equal(found, block.advance(ramp(21)))
    for ours, theirs in zip(together, alone, strict=True):
        assert_same_bits(ours, theirs)


def test_a_run_makes_the_same_file(tmp_path, monkeypatch, gpu):
    found = assert_same_file(tmp_path, monkeypatch, gpu)
    assert np.abs(found["forces/drag"]).min() > 0


def test_the_public_function_gives_the_same_arrays(gpu):
    """By its own choice of a device."""
    random = np.random.default_rng(3)
    rho, u = 1 + 0.01 * random.normal(size=(40, 30)), 0.03 * random.normal(size=(40, 30, 2))
    ours, theirs = (simulate(rho, u, 0.7, 11, device=device) for device in ("gpu", "cpu"))
    assert ours.rho.tobytes() == theirs.rho.tobytes() and ours.u.tobytes() == theirs.u.tobytes()


def test_a_cut_domain_is_the_whole_one_while_messages_travel_beside_the_inner_sites(gpu, mpiexec):
    """Two ranks on one GPU, on domains so large that streams run side by side."""
    done = mpiexec(2, ROOT / "tests" / "mpi" / "blocks.py", "gpu", timeout=280)
    assert done.returncode == 0, done.stderr
    assert "flows on 2 ranks" in done.stdout
