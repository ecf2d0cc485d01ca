"""Energy, virial, curvature, stress and stiffness of particles are the sums over their neighbours that they say."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from mdgen.api import evaluate, inherent_position, mechanics
from mdgen.initial import melt
from mdgen.potentials import potential
from runkit.errors import UserError

SQUEEZE = np.array([0.9, 1.0, 1 / 0.9])


def liquid(law, n=120, density=0.4, seed=3):
    """Particles of all species of a law, apart from each other, in a box of three edges."""
    start = melt(n, np.full(law.n_species, 1 / law.n_species), density, seed, 0)
    moved = start.position + 0.05 * np.random.default_rng(seed).standard_normal((n, 3))
    return moved * SQUEEZE, start.species, start.box * SQUEEZE


def particle_by_particle(position, species, box, law):
    """The same sums, one particle and one neighbour at a time."""
    n = len(position)
    tensors = {name: np.zeros((n, 3, 3)) for name in ("stress", "stiffness")}
    sums = {name: np.zeros((n, law.n_species)) for name in ("energy", "virial", "curvature")}
    squares = {name: np.zeros(n) for name in ("square_energy", "square_virial", "square_repulsion")}
    for i, j in ((i, j) for i in range(n) for j in range(n) if i != j):
        vector = position[j] - position[i]
        vector = vector - np.round(vector / box) * box
        r, a, b = np.linalg.norm(vector), species[i], species[j]
        energy, virial, curvature = (float(one(r, a, b)) for one in (law.energy, law.virial, law.curvature))
        sums["energy"][i, b] += energy / 2
        sums["virial"][i, b] += virial
        sums["curvature"][i, b] += curvature
        squares["square_energy"][i] += energy**2
        squares["square_virial"][i] += virial**2
        squares["square_repulsion"][i] += max(virial, 0) ** 2
        along = np.outer(vector, vector) / r**2
        tensors["stress"][i] += -virial * along
        tensors["stiffness"][i] += curvature * along - virial / r**2 * (np.eye(3) - along)
    return sums | squares | tensors


@pytest.mark.parametrize("name", potential.names())
def test_fields_are_sums_over_neighbours(name):
    """For every registered law and all species, to 1e-10 of the largest."""
    law = potential.build(name)
    given = liquid(law)
    found, expected = mechanics(*given, potential=law), particle_by_particle(*given, law)
    assert {field.name for field in fields(found)} == expected.keys()
    for name, values in expected.items():
        assert np.abs(values).max() > 0, name
        np.testing.assert_allclose(getattr(found, name), values, rtol=0, atol=1e-10 * np.abs(values).max())


def test_fields_add_up_to_the_energy_and_the_virial_of_the_system():
    law = potential.build("kob-andersen")
    given = liquid(law)
    whole, found = evaluate(*given, potential=law), mechanics(*given, potential=law)
    assert found.energy.sum() == pytest.approx(whole.energy, rel=1e-12)
    assert found.virial.sum() / 2 == pytest.approx(whole.virial, rel=1e-12)
    np.testing.assert_allclose(np.trace(found.stress, axis1=1, axis2=2), -found.virial.sum(axis=1), rtol=1e-11)


def test_stiffness_is_the_gradient_of_the_force_on_a_particle_by_its_own_place():
    """-dF_i/dx_i by central differences, at a few particles, to 1e-5."""
    law = potential.build("kob-andersen-force-shifted")
    position, species, box = liquid(law)
    found, h = mechanics(position, species, box, potential=law).stiffness, 1e-6
    for i in (0, 50, 119):
        for axis in range(3):
            forces = []
            for sign in (1, -1):
                moved = position.copy()
                moved[i, axis] += sign * h
                forces.append(evaluate(moved, species, box, potential=law).force[i])
            expected = -(forces[0] - forces[1]) / (2 * h)
            np.testing.assert_allclose(found[i, axis], expected, rtol=1e-5, atol=1e-5 * np.abs(found[i]).max())


def test_fields_know_nothing_of_the_image_and_turn_with_the_system():
    law = potential.build("kob-andersen")
    position, species, box = liquid(law)
    found = mechanics(position, species, box, potential=law)
    shifted = mechanics(position + box * [3, -2, 0] + 0.3, species, box, potential=law)
    order = [2, 0, 1]
    turned = mechanics(-position[:, order], species, box[order], potential=law)
    np.testing.assert_allclose(shifted.stiffness, found.stiffness, rtol=0, atol=1e-8 * np.abs(found.stiffness).max())
    np.testing.assert_allclose(turned.energy, found.energy, rtol=0, atol=1e-10 * np.abs(found.energy).max())
    expected = found.stress[:, order][:, :, order]
    np.testing.assert_allclose(turned.stress, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_the_inherent_position_is_an_energy_minimum_that_further_minimising_leaves():
    law = potential.build("kob-andersen")
    position, species, box = liquid(law, n=300, density=1.1)
    found = inherent_position(position, species, box, law)
    assert np.abs(evaluate(found, species, box, law).force).max() <= 1e-6
    moved = inherent_position(found, species, box, law) - found
    assert np.abs(moved - box * np.round(moved / box)).max() < 1e-6


@pytest.mark.parametrize("apart", [0.0, 1e-20, 1e-15])
def test_particles_that_lie_on_each_other_are_refused(apart):
    """Also where energy and stiffness are finite, and squares of energies are not."""
    position, species, box = liquid(potential.build("kob-andersen"))
    position[0], position[1] = 0.0, [apart, 0.0, 0.0]
    with pytest.raises(UserError, match="particles lie on each other"):
        mechanics(position, species, box)
