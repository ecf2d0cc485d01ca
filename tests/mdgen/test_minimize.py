"""FIRE on clusters whose minima are known."""

import numpy as np
import pytest

import mdgen
from mdgen.initial import melt
from mdgen.kernels.fire import DT_LARGEST, DT_LEAST, DT_START, LONGEST_STEP, descend, total
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
    assert found.energy == pytest.approx(-1 - law.columns["shift"][0, 0], abs=1e-12)
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


def as_published(force_at, position, n_iterations):
    """FIRE 2.0 step by step, without sums in a given order."""
    x, v, dt, mixing, n_downhill = position.copy(), np.zeros_like(position), DT_START, 0.25, 0
    f = force_at(x)
    for iteration in range(1, n_iterations + 1):
        if (f * v).sum() > 0:
            n_downhill += 1
            if n_downhill > 20:
                dt, mixing = min(1.1 * dt, DT_LARGEST), 0.99 * mixing
        else:
            x, v, n_downhill, mixing = x - 0.5 * dt * v, 0 * v, 0, 0.25
            dt = max(0.5 * dt, DT_LEAST) if iteration > 20 else dt
        v = v + dt * f
        v = (1 - mixing) * v + mixing * f * np.linalg.norm(v) / np.linalg.norm(f)
        v = v * min(1.0, LONGEST_STEP / (dt * np.abs(v).max()))
        x = x + dt * v
        f = force_at(x)
    return x


@pytest.mark.parametrize("n_iterations", [1, 30, 80])
def test_the_way_down_is_that_of_the_published_method(n_iterations):
    """Over turns uphill, grown and shrunk steps."""
    force_at, energy_at = cluster(20, potential.build("lennard-jones"))
    start = np.random.default_rng(2).uniform(0, 2.6, (20, 3))
    found = fire(force_at, energy_at, start, max_iterations=n_iterations)
    assert found.n_iterations == n_iterations
    assert np.allclose(found.position, as_published(force_at, start, n_iterations), rtol=0, atol=1e-8)


def test_ways_down_do_not_depend_on_each_other():
    """Three springs, of which one is at rest from the start and one is to soon; the bits of each alone."""
    stiffness, start = np.array([[1.0], [50.0], [3.0]]), np.random.default_rng(0).normal(size=(3, 9))
    start[2] = 0
    together, convergence = descend(lambda x: -stiffness * x, start, 1e-8, 1000)
    assert len(set(convergence.n_iterations)) == 3 and convergence.n_iterations[2] == 0
    for k in range(3):
        alone, its = descend(lambda x, k=k: -stiffness[k : k + 1] * x, start[k : k + 1], 1e-8, 1000)
        assert np.array_equal(alone[0], together[k]) and its.n_iterations[0] == convergence.n_iterations[k]


@pytest.mark.parametrize("n_values", [1, 255, 256, 257, 12288])
def test_a_sum_has_one_order(n_values):
    """Columns of 256, rows of 32, and these: every addition where the kernel has it."""
    value = np.random.default_rng(n_values).normal(size=(2, n_values)) * 10.0 ** np.arange(n_values).clip(0, 12)
    for row, found in zip(value, total(value), strict=True):
        column = [0.0] * 256
        for k, one in enumerate(row):
            column[k % 256] += one
        lane = [0.0] * 32
        for k, one in enumerate(column):
            lane[k % 32] += one
        assert found == sum(lane, 0.0)
