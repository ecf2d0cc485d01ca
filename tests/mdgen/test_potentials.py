"""What holds for every registered law, whatever its form. What is special to one is in `test_pair_laws.py`."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen.dynamics import Dynamics
from mdgen.potentials import potential
from mdgen.potentials.pair import PairLaw, PairPotential
from runkit.errors import UserError
from tests.mdgen.liquid import all_pairs, replicas
from tests.mdgen.test_gpu import assert_same
from tests.shim import StandIn


@pytest.fixture(params=potential.names())
def law(request):
    return potential.build(request.param)


def pairs(law):
    return [(a, b) for a in range(law.n_species) for b in range(law.n_species)]


def slope(function, law, a, b):
    """Distances of a pair of species, and the derivative of a function of them by differences."""
    cutoff = law.cutoff[a, b]
    h = 1e-6 * cutoff
    r = np.linspace(0.4 * cutoff, cutoff - 2 * h, 200)
    return r, (function(r + h, a, b) - function(r - h, a, b)) / (2 * h)


def test_force_is_minus_gradient_of_energy(law):
    """F(r) = -dU/dr for every pair of species, to 1e-6."""
    for a, b in pairs(law):
        r, gradient = slope(law.energy, law, a, b)
        np.testing.assert_allclose(law.force(r, a, b), -gradient, rtol=1e-6, atol=1e-6)


def test_curvature_is_minus_gradient_of_force(law):
    """U''(r) = -dF/dr, made from the formula of the force, for every pair of species, to 2e-6."""
    for a, b in pairs(law):
        r, gradient = slope(law.force, law, a, b)
        np.testing.assert_allclose(law.curvature(r, a, b), -gradient, rtol=2e-6, atol=1e-6)
        assert law.curvature(law.cutoff[a, b], a, b) == 0


def test_virial_is_distance_times_force(law):
    for a, b in pairs(law):
        r = np.linspace(0.4, 1.1, 200) * law.cutoff[a, b]
        np.testing.assert_allclose(law.virial(r, a, b), r * law.force(r, a, b), rtol=1e-12, atol=1e-12)


def test_energy_is_continuous_at_the_cutoff_and_nothing_acts_beyond_it(law):
    for a, b in pairs(law):
        cutoff = law.cutoff[a, b]
        assert law.energy(0.5 * cutoff, a, b) != 0 and law.force(0.5 * cutoff, a, b) != 0
        assert abs(law.energy(cutoff * (1 - 1e-12), a, b)) < 1e-11
        for r in (cutoff, 1.5 * cutoff):
            assert law.energy(r, a, b) == law.force(r, a, b) == law.virial(r, a, b) == 0


def test_pairs_do_not_know_an_order(law):
    for matrix in (law.cutoff, *law.parameters.values(), *law.columns.values()):
        np.testing.assert_array_equal(matrix, matrix.T)


def liquid(law, n_replicas, precision, device=None):
    """A dense liquid, or a thinner one in a box of twice the cutoff."""
    n_edge = 6
    position, velocity, species, box = replicas(
        n_replicas, n_edge=n_edge, density=min(1.2, (n_edge / (2.01 * law.largest_cutoff)) ** 3)
    )
    return Dynamics(position, velocity, species % law.n_species, box, law, 0.002, precision, device=device)


def test_kernels_give_the_sum_over_all_pairs(law):
    """By the formulas on arrays: energy, force and virial of either layout of lanes."""
    for n_replicas in (1, 2):
        system = liquid(law, n_replicas, "float64")
        species, box = system.ensemble.species[0], system.ensemble.box[0]
        energy, force, virial = all_pairs(system.position[0], species, box, law)
        assert np.abs(system.force[0] - force).max() < 1e-12 * np.abs(force).max()
        assert system.potential_energy[0] == pytest.approx(energy, rel=1e-12)
        assert system.virial[0] == pytest.approx(virial, rel=1e-12)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_trajectory_has_the_same_bits_on_a_gpu(law, precision):
    ours, theirs = (liquid(law, 2, precision, device) for device in (StandIn(), None))
    for each in (ours, theirs):
        each.step(20)
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    ("name", "parameters", "complaint"),
    [
        ("lennard-jones", {"epsilon": -1.0}, "epsilon.*positive"),
        ("lennard-jones", {"sigma": float("nan")}, "sigma.*positive"),
        ("lennard-jones", {"cut_off": 2.5}, "cut_off.*cutoff"),
        ("lennard-jones", {"epsilon": "strong"}, "strong"),
        ("binary-lennard-jones", {"sigma": [1.0, 0.8]}, "sigma.*three values"),
        ("inverse-power", {"exponent": 7}, "exponent = 7; allowed: even integers from 2 to 100"),
        ("inverse-power", {"exponent": 12.5}, "exponent = 12.5 is not allowed; allowed: a whole number"),
        ("smoothed-inverse-power", {"exponent": 0}, "exponent = 0; allowed"),
        ("inverse-power", {"exponent": 100, "sigma": 1e5, "cutoff": 1e-4}, "shift of the law is not finite"),
        ("kob-anderson", {}, "kob-andersen"),
    ],
)
def test_a_wrong_parameter_is_named(name, parameters, complaint):
    with pytest.raises(UserError, match=complaint):
        potential.build(name, **parameters)


def test_an_unsymmetric_matrix_is_refused():
    law = potential.build("lennard-jones").law
    with pytest.raises(UserError, match=r"sigma.*symmetric"):
        PairPotential.of(law, np.ones((2, 2)), epsilon=np.ones((2, 2)), sigma=[[1.0, 0.8], [0.9, 1.0]])


def test_what_is_too_large_for_single_precision_is_refused():
    law = potential.build("lennard-jones", sigma=1e4)
    assert law.table("float64").shape == (1, 1, 4)
    with pytest.raises(UserError, match="repulsion of the potential is too large for precision = float32"):
        law.table("float32")


def test_a_law_must_say_what_stands_in_its_formulas():
    """Compiled kernels are kept under what it is written as: only a dataclass is written as all that it holds."""

    class Vague(PairLaw):
        columns = energy = force = PairLaw.virial

    with pytest.raises(TypeError, match="Vague: a law is a frozen dataclass"):
        PairPotential.of(Vague(), np.ones((1, 1)))
