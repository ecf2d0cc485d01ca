"""Each law is the one that its source describes."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen.potentials import potential

MIXTURE = {"epsilon": [1.0, 1.5, 0.5], "sigma": [1.0, 0.8, 0.88]}
PAIRS = [(0, 0, 1.0, 1.0), (0, 1, 1.5, 0.8), (1, 1, 0.5, 0.88)]  # species, epsilon, sigma


def lennard_jones(r, epsilon, sigma):
    return 4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)


@pytest.mark.parametrize("name", ["lennard-jones", "kob-andersen", "binary-lennard-jones"])
def test_minimum_of_lennard_jones_is_at_the_sixth_root_of_two(name):
    """F = 0 and U = -epsilon minus the energy at the cutoff."""
    law = potential.build(name)
    for a, b in np.ndindex(law.cutoff.shape):
        epsilon, sigma, cutoff = law.parameters["epsilon"][a, b], law.parameters["sigma"][a, b], law.cutoff[a, b]
        r = 2 ** (1 / 6) * sigma
        assert abs(law.force(r, a, b)) < 1e-12
        assert law.energy(r, a, b) == pytest.approx(-epsilon - lennard_jones(cutoff, epsilon, sigma), abs=1e-13)
        assert law.force(cutoff * (1 - 1e-12), a, b) < -1e-3


def test_kob_andersen_has_the_published_parameters():
    law = potential.build("kob-andersen")
    np.testing.assert_array_equal(law.parameters["epsilon"], [[1.0, 1.5], [1.5, 0.5]])
    np.testing.assert_array_equal(law.parameters["sigma"], [[1.0, 0.8], [0.8, 0.88]])
    np.testing.assert_allclose(law.cutoff, [[2.5, 2.0], [2.0, 2.2]], rtol=1e-15)
    assert law.largest_cutoff == 2.5


def test_binary_with_kob_andersens_parameters_is_kob_andersen():
    binary, named = potential.build("binary-lennard-jones", **MIXTURE, cutoff=2.5), potential.build("kob-andersen")
    assert binary.law == named.law
    np.testing.assert_array_equal(binary.table("float64"), named.table("float64"))


@pytest.mark.parametrize(("a", "b", "epsilon", "sigma"), PAIRS)
def test_weeks_chandler_andersen_is_the_raised_repulsion_of_lennard_jones(a, b, epsilon, sigma):
    law = potential.build("weeks-chandler-andersen", **MIXTURE)
    assert law.cutoff[a, b] == pytest.approx(2 ** (1 / 6) * sigma, rel=1e-15)
    r = np.linspace(0.8, 1.12, 50) * sigma
    np.testing.assert_allclose(law.energy(r, a, b), lennard_jones(r, epsilon, sigma) + epsilon, rtol=1e-12, atol=1e-13)
    assert law.force(r, a, b).min() > 0 and abs(law.force(law.cutoff[a, b] * (1 - 1e-12), a, b)) < 1e-9


@pytest.mark.parametrize(("a", "b", "epsilon", "sigma"), PAIRS)
def test_a_shifted_force_takes_the_tangent_at_the_cutoff_away(a, b, epsilon, sigma):
    law = potential.build("kob-andersen-force-shifted")
    cutoff, h = 2.5 * sigma, 1e-5
    slope = (lennard_jones(cutoff + h, epsilon, sigma) - lennard_jones(cutoff - h, epsilon, sigma)) / (2 * h)
    r = np.linspace(0.85, 2.499, 100) * sigma
    expected = lennard_jones(r, epsilon, sigma) - lennard_jones(cutoff, epsilon, sigma) - (r - cutoff) * slope
    np.testing.assert_allclose(law.energy(r, a, b), expected, rtol=1e-9, atol=1e-9)
    assert abs(law.force(cutoff * (1 - 1e-12), a, b)) < 1e-11


@pytest.mark.parametrize("exponent", [2, 10, 12, 18, 36])
@pytest.mark.parametrize(("a", "b", "epsilon", "sigma"), PAIRS)
def test_an_inverse_power_is_one(exponent, a, b, epsilon, sigma):
    law = potential.build("inverse-power", exponent=exponent, **MIXTURE, cutoff=[2.0, 2.2, 2.4])
    cutoff = (2.0, 2.2, 2.4)[a + b] * sigma
    assert law.cutoff[a, b] == pytest.approx(cutoff, rel=1e-15)
    r = np.linspace(0.7, 1.9, 50) * sigma
    expected = epsilon * ((sigma / r) ** exponent - (sigma / cutoff) ** exponent)
    np.testing.assert_allclose(law.energy(r, a, b), expected, rtol=1e-12)


@pytest.mark.parametrize(("a", "b", "epsilon", "sigma"), PAIRS)
def test_a_smoothed_inverse_power_has_the_published_polynomial(a, b, epsilon, sigma):
    law = potential.build("smoothed-inverse-power", **MIXTURE)
    r, c = np.linspace(0.7, 1.249, 50), 1.25
    expected = epsilon * (r**-12.0 - 28 * c**-12 + 48 * c**-14 * r**2 - 21 * c**-16 * r**4)
    np.testing.assert_allclose(law.energy(r * sigma, a, b), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("exponent", [10, 12, 18])
def test_a_smoothed_inverse_power_ends_with_no_energy_no_force_and_no_slope_of_it(exponent):
    """All three vanish as the third, second and first power of the distance to the cutoff."""
    law = potential.build("smoothed-inverse-power", exponent=exponent, cutoff=1.4)
    near, nearer = (1.4 * (1 - step) for step in (1e-3, 1e-4))
    assert law.energy(near, 0, 0) / law.energy(nearer, 0, 0) == pytest.approx(1e3, rel=0.02)
    assert law.force(near, 0, 0) / law.force(nearer, 0, 0) == pytest.approx(1e2, rel=0.02)
