"""Molecular dynamics on a real GPU: the bits of the CPU."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.minimize import inherent_structure
from mdgen.neighbors import spatial_order
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities
from runkit.rng import stream

LAW, DT = potential.build("kob-andersen"), 0.004
BITS = ("position", "velocity", "force", "potential_energy", "virial", "kinetic_energy")


def crystal(n_particles: int, n_replicas: int) -> SimpleNamespace:
    """A start that melts, with an order in space."""
    start = melt(n_particles, (0.8, 0.2), 1.2, seed=1, sample=0)
    velocity = np.stack([maxwell_velocities(n_particles, 2.0, 1, 0, replica) for replica in range(n_replicas)])
    position = np.repeat(start.position[None], n_replicas, axis=0)
    return SimpleNamespace(
        given=(position, velocity, start.species, start.box), order=spatial_order(start.position, start.box)
    )


def both(gpu, n_particles, n_replicas, precision="float32", bath=None):
    """The same replicas on the GPU and on the CPU."""
    start = crystal(n_particles, n_replicas)
    for device in (gpu, None):
        streams = [stream(1, "bath", replica) for replica in range(n_replicas)]
        law = bath and thermostat.get(bath)(1.5, 0.1, DT, 3 * n_particles - 3, streams)
        yield Dynamics(*start.given, LAW, DT, precision, thermostat=law, order=start.order, device=device)


def assert_same(ours: Dynamics, theirs: Dynamics) -> None:
    different = [name for name in BITS if not np.array_equal(getattr(ours, name), getattr(theirs, name))]
    assert not different


@pytest.mark.parametrize("bath", [None, *thermostat.names()])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n_particles, n_replicas", [(500, 5), (4096, 1)])
def test_trajectories_have_the_same_bits(gpu, n_particles, n_replicas, precision, bath):
    """A block per replica, and one replica over many blocks; 300 steps with many new lists."""
    ours, theirs = both(gpu, n_particles, n_replicas, precision, bath)
    for each in (ours, theirs):
        each.step(300)
    assert_same(ours, theirs)
    assert ours.statistics["n_builds"] > 3 * n_replicas and ours.statistics["dangerous_builds"] == 0


@pytest.mark.parametrize("n_particles", [4096, 16384, 65536, 70000])
def test_any_number_of_particles_has_the_same_bits(gpu, n_particles):
    """More than a block holds, and more than 16 bits count."""
    ours, theirs = both(gpu, n_particles, 1)
    for each in (ours, theirs):
        each.step(30)
    assert_same(ours, theirs)


def test_many_replicas_march_with_the_bits_of_a_few(gpu):
    """A full GPU: every 31st of its replicas against the CPU."""
    n_replicas = 2 * gpu.n_multiprocessors
    start = crystal(4096, n_replicas)
    ours = Dynamics(*start.given, LAW, DT, order=start.order, device=gpu)
    chosen = slice(0, n_replicas, 31)
    position, velocity, *rest = start.given
    theirs = Dynamics(position[chosen], velocity[chosen], *rest, LAW, DT, order=start.order)
    for each in (ours, theirs):
        each.step(40)
    assert ours.engine._kernels.marches
    assert np.array_equal(ours.position[chosen], theirs.position)


def test_energy_minima_are_the_same(gpu):
    start = melt(256, (0.8, 0.2), 1.2, seed=1, sample=0)
    ours, theirs = inherent_structure(start, LAW, gpu), inherent_structure(start, LAW)
    assert ours.converged and np.array_equal(ours.position, theirs.position) and ours.energy == theirs.energy
