"""The isoconfigurational method where its result is known in closed form."""

import numpy as np
import pytest

import mdgen
from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.observables import displacement, reliability, self_scattering
from mdgen.potentials import potential
from mdgen.velocities import maxwell_velocities

TEMPERATURE = 0.5


def test_propensity_of_a_dilute_gas_is_the_mean_speed_times_time():
    """Without collisions <|dr|> = t sqrt(8 T / pi); particles that are too far apart to interact move freely."""
    grid = np.stack(np.meshgrid(*[np.arange(4) * 10.0] * 3), axis=-1).reshape(-1, 3)
    times = (0.1, 0.5, 1.0)
    found = mdgen.isoconfigurational(grid, np.zeros(64, int), 40.0, TEMPERATURE, times, n_replicas=64, seed=1)
    expected = np.sqrt(8 * TEMPERATURE / np.pi * (1 - 1 / 64))
    np.testing.assert_allclose(found.mean(axis=1) / times, expected, rtol=0.02)
    assert found[1] == pytest.approx(5 * found[0], rel=1e-9)


def test_a_dense_liquid_is_ballistic_at_first():
    """Before forces act the propensity of every particle is t sqrt(8 T / pi), though they push hard on each other."""
    start = melt(200, (0.8, 0.2), 1.2, seed=1, sample=0)
    found = mdgen.isoconfigurational(start.position, start.species, start.box, TEMPERATURE, [1e-4], 64, seed=1, dt=1e-4)
    assert found[0].mean() == pytest.approx(1e-4 * np.sqrt(8 * TEMPERATURE / np.pi), rel=0.02)


def test_scattering_of_a_dilute_gas_is_gaussian_in_time():
    """F_s(q, t) = exp(-q² T t² / 2)."""
    grid = np.stack(np.meshgrid(*[np.arange(6) * 4.0] * 3), axis=-1).reshape(-1, 3)
    n_particles = len(grid)
    velocity = np.stack([maxwell_velocities(n_particles, TEMPERATURE, 2, 0, replica) for replica in range(32)])
    position = np.repeat(grid[None], 32, axis=0)
    law = potential.build("lennard-jones")
    moving = Dynamics(position, velocity, np.zeros(n_particles, int), np.full(3, 24.0), law, 0.005, "float64")
    for n_steps in (20, 40):
        moving.step(20)
        moved = displacement(moving.position, grid)
        expected = np.exp(-((7.25 * n_steps * 0.005) ** 2) * TEMPERATURE / 2)
        assert self_scattering(moved, 7.25).mean() == pytest.approx(expected, abs=0.015)


def test_structure_decides_who_moves_and_velocities_do_not():
    """Displacements in halves of the replicas agree on who moves in a liquid, and on nothing in a free gas."""
    start = melt(200, (0.8, 0.2), 1.2, seed=3, sample=0)
    velocity = np.stack([maxwell_velocities(200, TEMPERATURE, 1, 0, replica) for replica in range(32)])
    position = np.repeat(start.position[None], 32, axis=0)
    moving = Dynamics(position, velocity, start.species, start.box, potential.build("kob-andersen"), 0.002, "float32")
    free = velocity * 0.1
    moving.step(50)
    assert reliability(displacement(moving.position, start.position)) > 0.8
    assert abs(reliability(np.linalg.norm(free, axis=-1))) < 0.4
