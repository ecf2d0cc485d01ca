"""The same numbers as an independent code gives: LAMMPS 22 Jul 2025, `pair_style lj/cut`, `pair_modify shift yes`.

`liquid_200.data` is a Kob–Andersen liquid at T = 0.64; `liquid_200.lammps.txt` came from
`python -m tools.validate_md reference --configuration tests/physics/liquid_200.data --lammps lmp`, the averages from
`python -m tools.validate_md thermodynamics --temperature 1.0 --particles 200 --steps 200000 --lammps lmp`.
"""

from pathlib import Path

import numpy as np
import pytest

import mdgen
from mdgen.dynamics import Dynamics
from mdgen.formats import read
from mdgen.initial import melt
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities
from runkit.rng import stream

HERE = Path(__file__).parent
LAMMPS_ENERGY, LAMMPS_PRESSURE = (-6.01512, 0.00313), (9.86162, 0.02056)  # mean and error; T = 1, N = 200, rho = 1.2


@pytest.fixture
def liquid():
    return read(HERE / "liquid_200.data")[0]


@pytest.fixture
def reference():
    """Energy, virial, force, and position after 100 steps."""
    path = HERE / "liquid_200.lammps.txt"
    words = path.read_text().splitlines()[0].split()
    table = np.loadtxt(path)
    return float(words[2]), float(words[4]), table[:, :3], table[:, 3:]


def test_energy_virial_and_forces_are_those_of_lammps(liquid, reference):
    energy, virial, force, _ = reference
    found = mdgen.evaluate(liquid.position, liquid.species, liquid.box)
    assert found.energy == pytest.approx(energy, rel=1e-13)
    assert found.virial == pytest.approx(virial, rel=1e-12)
    assert np.abs(found.force - force).max() <= 1e-10


def test_a_trajectory_is_that_of_lammps(liquid, reference):
    """100 steps from rest; beyond, chaos magnifies what rounding leaves (docs/validation.md)."""
    found, _ = mdgen.propagate(liquid.position, np.zeros((200, 3)), liquid.species, liquid.box, 0.005, 100)
    assert np.abs(found - reference[3]).max() < 1e-11


def test_energy_and_pressure_of_a_liquid_are_those_of_lammps():
    """Independent NVT runs agree within four standard errors."""
    n_replicas, temperature, dof = 16, 1.0, 597
    start = melt(200, (0.8, 0.2), 1.2, seed=1, sample=0)
    velocity = np.stack([maxwell_velocities(200, temperature, 1, 0, replica) for replica in range(n_replicas)])
    streams = [stream(1, "thermostat", k) for k in range(n_replicas)]
    coupling = thermostat.get("bussi")(temperature, 0.5, 0.005, dof, streams)
    position = np.repeat(start.position[None], n_replicas, axis=0)
    law = potential.build("kob-andersen")
    moving = Dynamics(position, velocity, start.species, start.box, law, 0.005, "float32", thermostat=coupling)
    moving.step(2000)
    energy, pressure = [], []
    for _ in range(150):
        moving.step(20)
        energy.append(moving.potential_energy / 200)
        pressure.append((2 * moving.kinetic_energy + moving.virial) / (3 * start.box.prod()))
    for series, (mean, error) in ((energy, LAMMPS_ENERGY), (pressure, LAMMPS_PRESSURE)):
        replica = np.mean(series, axis=0)
        own_error = replica.std(ddof=1) / np.sqrt(n_replicas)
        assert abs(replica.mean() - mean) < 4 * np.hypot(own_error, error)
