"""FIRE on clusters whose minima are known."""

import numpy as np
import pytest

import mdgen
from mdgen.initial import melt
from mdgen.minimize import fire, inherent_structure
from mdgen.potentials import potential


def cluster(n_particles, law):
    """Functions that give force and energy of a free cluster, by all pairs."""
    i, j = np.triu_indices(n_particles, 1)

    def force_at(position):
        vector = position[j] - position[i]
        r = np.linalg.norm(vector, axis=1)
        pull = (law.force(r, 0, 0) / r)[:, None] * vector
        force = np.zeros_like(position)
        np.add.at(force, j, pull)
        np.add.at(force, i, -pull)
        return force

    def energy_at(position):
        return law.energy(np.linalg.norm(position[j] - position[i], axis=1), 0, 0).sum()

    return force_at, energy_at


def test_a_dimer_relaxes_to_minus_epsilon():
    """U = -1 plus the shift, at r = 2^(1/6)."""
    law = potential.build("lennard-jones")
    found = fire(*cluster(2, law), np.array([[0.0, 0, 0], [1.4, 0.2, 0]]), tolerance=1e-10)
    assert found.converged
    assert found.energy == pytest.approx(-1 - law.shift[0, 0], abs=1e-12)
    assert np.linalg.norm(found.position[1] - found.position[0]) == pytest.approx(2 ** (1 / 6), abs=1e-9)


def test_a_disturbed_icosahedron_relaxes_to_the_global_minimum_of_thirteen():
    """-44.326801 epsilon: D. J. Wales and J. P. K. Doye, J. Phys. Chem. A 101, 5111 (1997), doi:10.1021/jp970984n."""
    golden = (1 + 5**0.5) / 2
    face = np.array([[0, s, t * golden] for s in (-1, 1) for t in (-1, 1)])
    icosahedron = np.concatenate([np.zeros((1, 3)), face, face[:, [2, 0, 1]], face[:, [1, 2, 0]]]) * 0.6
    icosahedron += 0.05 * np.random.default_rng(1).standard_normal((13, 3))
    found = fire(*cluster(13, potential.build("lennard-jones", cutoff=1e3)), icosahedron)
    assert found.energy == pytest.approx(-44.326801, abs=1e-6)
    assert found.largest_force <= 1e-6


def test_overlapping_particles_come_apart():
    found = fire(*cluster(2, potential.build("lennard-jones")), np.array([[0.0, 0, 0], [1e-3, 0, 0]]))
    assert found.converged and found.energy < -0.9


def test_an_inherent_structure_lies_below_its_start_and_has_no_force_left():
    """A liquid: the forces that the public function finds at the minimum vanish, and no particle has gone far."""
    start, law = melt(250, (0.8, 0.2), 1.2, seed=1, sample=0), potential.build("kob-andersen")
    found = inherent_structure(start, law)
    there = mdgen.evaluate(found.position, start.species, start.box, law)
    assert found.converged and np.abs(there.force).max() <= 1e-6
    assert there.energy == pytest.approx(found.energy, rel=1e-12)
    assert -7.8 < found.energy / 250 < -7.0
    assert np.abs(found.position - start.position).max() < start.box[0] / 2


def test_an_unfinished_minimisation_says_so():
    found = fire(*cluster(2, potential.build("lennard-jones")), np.array([[0.0, 0, 0], [1.4, 0, 0]]), max_iterations=3)
    assert not found.converged and found.n_iterations == 3 and found.largest_force > 1e-6
