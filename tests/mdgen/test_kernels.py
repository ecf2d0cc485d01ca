"""Forces, energies and places of the CPU kernels."""

from __future__ import annotations

import importlib
import platform
import re

import numpy as np
import pytest
from numba import njit

from mdgen.dynamics import Dynamics
from mdgen.kernels import cpu
from mdgen.kernels.cpu.motion import make_integrate
from mdgen.kernels.cpu.pairs import Formulas, make_energies, make_forces
from mdgen.potentials import potential
from tests.mdgen.liquid import all_pairs, jittered_lattice, kob_andersen, replicas


def spread_replicas(n_replicas, seed=3):
    """Replicas that have nothing to do with each other, some particles far outside the box."""
    position, velocity, species, box = replicas(n_replicas)
    for k in range(n_replicas):
        position[k] = jittered_lattice(seed=seed + k)[0]
    position += box * np.random.default_rng(seed).integers(-3, 4, position.shape)
    return position, velocity, species, box


@pytest.mark.parametrize("n_replicas", [1, 2, 11])
def test_double_precision_is_the_sum_over_all_pairs(n_replicas):
    """Energy, force and virial of every replica, to 1e-12 of the largest force."""
    position, velocity, species, box = spread_replicas(n_replicas)
    dynamics = Dynamics(position, velocity, species, box, kob_andersen(), 0.005, precision="float64")
    for k in range(n_replicas):
        energy, force, virial = all_pairs(position[k], species, box, kob_andersen())
        assert np.abs(dynamics.force[k] - force).max() < 1e-12 * np.abs(force).max()
        assert dynamics.potential_energy[k] == pytest.approx(energy, rel=1e-12)
        assert dynamics.virial[k] == pytest.approx(virial, rel=1e-12)


@pytest.mark.parametrize("n_replicas", [1, 3])
def test_single_precision_errs_in_the_seventh_digit(n_replicas):
    """Apart from pairs at the cutoff, where the force jumps by at most 0.06; energies are double precision still."""
    position, velocity, species, box = spread_replicas(n_replicas)
    dynamics = Dynamics(position, velocity, species, box, kob_andersen(), 0.005, precision="float32")
    for k in range(n_replicas):
        energy, force, _ = all_pairs(position[k], species, box, kob_andersen())
        error = np.abs(dynamics.force[k] - force) / np.abs(force).max()
        assert np.median(error) < 1e-7
        assert error.max() < 1e-6 + 0.06 / np.abs(force).max()
        assert dynamics.potential_energy[k] == pytest.approx(energy, rel=1e-12)


def test_two_particles_feel_the_law_across_the_boundary():
    position = np.array([[[0.3, 5.0, 5.0], [9.2, 5.0, 5.0]]])
    dynamics = Dynamics(position, np.zeros_like(position), [0, 1], [10.0] * 3, kob_andersen(), 0.005, "float64")
    assert dynamics.force[0, 0, 0] == pytest.approx(kob_andersen().force(1.1, 0, 1), rel=1e-12)
    assert dynamics.potential_energy[0] == pytest.approx(kob_andersen().energy(1.1, 0, 1), rel=1e-12)


@pytest.mark.parametrize("dtype, unit, period", [(np.int32, 2.0**32, 2.0**32), (np.float64, 1.0, 1.0)])
def test_places_repeat_with_the_box(dtype, unit, period):
    """A position and its images have the same place to rounding, and a difference wraps to the nearest image."""
    box, n = 7.3, 3 * cpu.LANES
    position = np.repeat(np.random.default_rng(0).random(n) * box, 2).reshape(2, n, order="F").copy()
    position[1] += box * (np.arange(n) - n // 2)
    place = np.empty((2, n), dtype)
    for row in range(2):
        cpu.locate(position[row], np.full(3, unit / box), place[row])
    difference = (place[0] - place[1]).astype(float) / period
    assert np.abs(difference - np.rint(difference)).max() < 1e-9
    assert np.allclose(np.mod(place[0] / period, 1.0), position[0] / box, atol=1e-9)


@pytest.mark.parametrize("name", ["forces", "kick"])
def test_loops_use_packed_instructions(name):
    """Vector divisions and multiply-adds, and not one scalar division."""
    position, velocity, species, box = replicas(2)
    Dynamics(position, velocity, species, box, kob_andersen(), 0.005).step(1)
    kernel = getattr(cpu.kernels_of(kob_andersen()), name)
    fresh = njit(error_model="numpy")(kernel.py_func)
    fresh.compile(next(signature for signature in kernel.signatures if "float32" in str(signature)))
    code = "\n".join(fresh.inspect_asm().values())
    assert re.search(r"vfmadd\d+p[sd]|fmla\s+v", code), platform.machine()
    if name == "forces":
        assert re.search(r"vdivp[sd]|fdiv\s+v", code)
        assert not re.search(r"vdivs[sd]|fdiv\s+[sd]\d", code)


LAW = """
from dataclasses import dataclass
from mdgen.potentials.pair import PairLaw
from law_of_test.shared.formulas import SCALE

@dataclass(frozen=True)
class Law(PairLaw):
    def columns(self, cutoff):
        return {}

    def energy(self, square, pair):
        return SCALE * square

    def force(self, square, pair):
        return -2.0 * SCALE
"""


def test_kernels_of_a_law_from_another_package_are_made_of_all_text_of_that(tmp_path, monkeypatch):
    """Also of a file in another folder, which the law's own one uses: what was compiled before it changed is not used.
    A law of ours is known by the folder of laws."""
    shared = tmp_path / "law_of_test" / "shared"
    shared.mkdir(parents=True)
    (shared.parent / "law.py").write_text(LAW)
    (shared / "formulas.py").write_text("SCALE = 1.0\n")
    for folder in (shared, shared.parent):
        (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    law, ours = importlib.import_module("law_of_test.law").Law(), potential.build("lennard-jones").law

    def texts(law):
        formulas = Formulas.of(law, ())
        forces = make_forces(formulas)
        return [each._cache._text for each in (forces, make_energies(formulas), make_integrate(forces, formulas))]

    before, of_ours = texts(law), texts(ours)
    (shared / "formulas.py").write_text("SCALE = 2.0\n")
    assert all(old != new for old, new in zip(before, texts(law), strict=True)) and texts(ours) == of_ours
