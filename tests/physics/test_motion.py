"""Newtonian trajectories: what they conserve, and to which order."""

import numpy as np
import pytest

from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.minimize import inherent_structure
from mdgen.potentials import potential
from mdgen.velocities import maxwell_velocities

LAW = potential.build("kob-andersen")


def dynamics(start, velocity, precision="float64", dt=0.005):
    """All `velocity` [n_replicas, n, 3] from one configuration."""
    position = np.repeat(start.position[None], len(velocity), axis=0)
    return Dynamics(position, velocity, start.species, start.box, LAW, dt, precision=precision)


@pytest.fixture(scope="module")
def liquid():
    """An inherent structure: at a minimum, so that motion from it is as mild as in a cold liquid."""
    start = melt(250, (0.8, 0.2), 1.2, seed=1, sample=0)
    relaxed = inherent_structure(start, LAW)
    assert relaxed.converged
    return type(start)(relaxed.position, start.species, start.box)


@pytest.fixture
def velocity(liquid):
    return np.stack([maxwell_velocities(len(liquid.species), 1.0, 1, 0, replica) for replica in range(4)])


def total_energy(moving):
    return moving.potential_energy + moving.kinetic_energy


def test_energy_error_is_of_second_order_in_the_time_step(liquid, velocity):
    """Halving the step divides the largest energy error by four."""

    def error(dt):
        moving = dynamics(liquid, velocity, dt=dt)
        start, worst = total_energy(moving), 0.0
        for _ in range(40):
            moving.step(round(0.01 / dt))
            worst = max(worst, np.abs(total_energy(moving) - start).max())
        return worst

    assert error(0.005) / error(0.0025) == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_energy_does_not_drift(liquid, velocity, precision):
    """2000 steps of 0.005: E/N stays within 1e-3 of its start, in either precision of the forces.

    Once the minimum has been left: there the energy that velocity Verlet conserves differs from the sum of both.
    """
    moving = dynamics(liquid, velocity, precision)
    moving.step(500)
    start = total_energy(moving)
    moving.step(2000)
    assert np.abs(total_energy(moving) - start).max() / len(liquid.species) < 1e-3


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_total_momentum_stays_zero(liquid, velocity, precision):
    moving = dynamics(liquid, velocity, precision)
    moving.step(500)
    limit = 1e-10 if precision == "float64" else 1e-3
    assert np.abs(moving.velocity.sum(axis=1)).max() < limit


def test_trajectories_run_backwards(liquid, velocity):
    """Velocities turned round after 200 steps lead back to the start, to what chaos makes of rounding."""
    there = dynamics(liquid, velocity)
    there.step(200)
    position, turned = there.position, -there.velocity
    back = Dynamics(position, turned, liquid.species, liquid.box, LAW, 0.005, precision="float64")
    back.step(200)
    np.testing.assert_allclose(back.position, np.broadcast_to(liquid.position, position.shape), atol=1e-8)


def test_kinetic_energy_is_shared_equally(liquid):
    """Time averages of v² agree between x, y and z and between species, in NVE."""
    draws = np.stack([maxwell_velocities(len(liquid.species), 2.0, 5, 0, replica) for replica in range(8)])
    moving = dynamics(liquid, draws, "float32")
    moving.step(1000)
    square = []
    for _ in range(100):
        moving.step(50)
        square.append(moving.velocity**2)
    mean = np.mean(square, axis=(0, 1))
    temperature = mean.mean()
    np.testing.assert_allclose(mean.mean(axis=0), temperature, rtol=0.02)
    for species in (0, 1):
        assert mean[liquid.species == species].mean() == pytest.approx(temperature, rel=0.02)
