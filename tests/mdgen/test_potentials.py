"""Laws over the registry."""

import numpy as np
import pytest

from mdgen.potentials import potential
from mdgen.potentials.pair import PairPotential
from runkit.errors import UserError


@pytest.fixture(params=potential.names())
def law(request):
    return potential.build(request.param)


def pairs(law):
    return [(a, b) for a in range(law.n_species) for b in range(law.n_species)]


def test_force_is_minus_gradient_of_energy(law):
    """F(r) = -dU/dr for every registered potential and pair of species, to 1e-6."""
    h = 1e-6
    for a, b in pairs(law):
        r = np.linspace(0.85 * law.sigma[a, b], law.cutoff[a, b] - 2 * h, 200)
        gradient = (law.energy(r + h, a, b) - law.energy(r - h, a, b)) / (2 * h)
        np.testing.assert_allclose(law.force(r, a, b), -gradient, rtol=1e-6, atol=1e-6)


def test_minimum_of_energy_is_at_the_sixth_root_of_two(law):
    """F = 0 and U = -epsilon - shift at r = 2^(1/6) sigma."""
    for a, b in pairs(law):
        r = 2 ** (1 / 6) * law.sigma[a, b]
        assert abs(law.force(r, a, b)) < 1e-12
        assert law.energy(r, a, b) == pytest.approx(-law.epsilon[a, b] - law.shift[a, b], abs=1e-14)


def test_energy_is_continuous_and_force_is_not_at_the_cutoff(law):
    for a, b in pairs(law):
        inside, outside = law.cutoff[a, b] * (1 - 1e-12), law.cutoff[a, b]
        assert abs(law.energy(inside, a, b)) < 1e-12 and law.energy(outside, a, b) == 0
        assert law.force(inside, a, b) < -1e-3 and law.force(outside, a, b) == 0


def test_pairs_do_not_know_an_order(law):
    for matrix in (law.epsilon, law.sigma, law.cutoff):
        np.testing.assert_array_equal(matrix, matrix.T)


def test_kob_andersen_has_the_published_parameters():
    law = potential.build("kob-andersen")
    np.testing.assert_array_equal(law.epsilon, [[1.0, 1.5], [1.5, 0.5]])
    np.testing.assert_array_equal(law.sigma, [[1.0, 0.8], [0.8, 0.88]])
    np.testing.assert_allclose(law.cutoff, [[2.5, 2.0], [2.0, 2.2]], rtol=1e-15)
    assert law.largest_cutoff == 2.5


def test_binary_with_kob_andersens_parameters_is_kob_andersen():
    binary = potential.build("binary-lennard-jones", epsilon=[1.0, 1.5, 0.5], sigma=[1.0, 0.8, 0.88], cutoff=2.5)
    named = potential.build("kob-andersen")
    for field in ("epsilon", "sigma", "cutoff"):
        np.testing.assert_array_equal(getattr(binary, field), getattr(named, field))


@pytest.mark.parametrize(
    ("name", "parameters", "complaint"),
    [
        ("lennard-jones", {"epsilon": -1.0}, "epsilon.*positive"),
        ("lennard-jones", {"sigma": float("nan")}, "sigma.*positive"),
        ("lennard-jones", {"cut_off": 2.5}, "cut_off.*cutoff"),
        ("lennard-jones", {"epsilon": "strong"}, "strong"),
        ("binary-lennard-jones", {"sigma": [1.0, 0.8]}, "sigma.*three values"),
        ("kob-anderson", {}, "kob-andersen"),
    ],
)
def test_a_wrong_parameter_is_named(name, parameters, complaint):
    with pytest.raises(UserError, match=complaint):
        potential.build(name, **parameters)


def test_an_unsymmetric_matrix_is_refused():
    with pytest.raises(UserError, match=r"sigma.*symmetric"):
        PairPotential.lennard_jones(np.ones((2, 2)), [[1.0, 0.8], [0.9, 1.0]], np.ones((2, 2)))
