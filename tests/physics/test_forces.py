"""Forces of whole systems against their energies."""

import numpy as np
import pytest

import mdgen
from mdgen.initial import melt
from mdgen.potentials import potential


@pytest.fixture(params=potential.names())
def system(request):
    """A disordered liquid of every registered potential: position, species, box, potential."""
    law = potential.build(request.param)
    start = melt(216, np.full(law.n_species, 1 / law.n_species), 1.0, seed=1, sample=0)
    position = start.position + 0.05 * np.random.default_rng(1).standard_normal((216, 3))
    return position, start.species, start.box, law


def test_forces_are_minus_the_gradient_of_the_energy(system):
    """Central differences along random directions of all particles, to 1e-6."""
    position, species, box, law = system
    force, h = mdgen.evaluate(position, species, box, law).force, 1e-5
    for seed in range(5):
        direction = np.random.default_rng(seed).standard_normal(position.shape)
        ahead = mdgen.evaluate(position + h * direction, species, box, law).energy
        behind = mdgen.evaluate(position - h * direction, species, box, law).energy
        assert (ahead - behind) / (2 * h) == pytest.approx(-(force * direction).sum(), rel=1e-6, abs=1e-5)


def test_virial_is_minus_the_derivative_of_the_energy_by_scaling(system):
    """W = -dU/dλ at λ = 1, positions and box times λ; the cutoff stays."""
    position, species, box, law = system
    virial, h = mdgen.evaluate(position, species, box, law).virial, 1e-6
    larger = mdgen.evaluate(position * (1 + h), species, box * (1 + h), law).energy
    smaller = mdgen.evaluate(position * (1 - h), species, box * (1 - h), law).energy
    assert (larger - smaller) / (2 * h) == pytest.approx(-virial, rel=1e-5)


def test_forces_sum_to_zero(system):
    position, species, box, law = system
    force = mdgen.evaluate(position, species, box, law).force
    assert np.abs(force.sum(axis=0)).max() < 1e-11 * np.abs(force).max() * len(force)


def test_float32_forces_are_those_of_float64_to_single_precision(system):
    position, species, box, law = system
    exact = mdgen.evaluate(position, species, box, law)
    single = mdgen.evaluate(position, species, box, law, dtype="float32")
    assert np.abs(single.force - exact.force).max() < 1e-5 * np.abs(exact.force).max()
    assert single.energy == pytest.approx(exact.energy, rel=1e-6)
