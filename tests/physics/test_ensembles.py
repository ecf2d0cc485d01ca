"""Do the thermostats sample the canonical ensemble? Judged by the physical_validation package.

Source: P. T. Merz and M. R. Shirts, PLoS ONE 13, e0202764 (2018), doi:10.1371/journal.pone.0202764.
"""

from functools import cache

import numpy as np
import physical_validation
import pytest

from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities
from runkit.rng import stream

LAW = potential.build("lennard-jones")
N_PARTICLES, DENSITY, DT, N_REPLICAS = 108, 0.7, 0.005, 16
COLD, WARM = 1.00, 1.09
UNITS = physical_validation.data.UnitData(
    kb=1.0,
    energy_conversion=1.0,
    length_conversion=1.0,
    volume_conversion=1.0,
    temperature_conversion=1.0,
    pressure_conversion=1.0,
    time_conversion=1.0,
)


@cache
def sample(name: str, temperature: float) -> physical_validation.data.SimulationData:
    """Kinetic and potential energies along 16 NVT trajectories."""
    start = melt(N_PARTICLES, (1.0,), DENSITY, seed=1, sample=0)
    dof = 3 * N_PARTICLES - 3
    streams = [stream(3, name, replica) for replica in range(N_REPLICAS)]
    velocity = [maxwell_velocities(N_PARTICLES, temperature, 3, 0, replica) for replica in range(N_REPLICAS)]
    position = np.repeat(start.position[None], N_REPLICAS, axis=0)
    coupling = thermostat.get(name)(temperature, 0.2, DT, dof, streams)
    moving = Dynamics(position, np.stack(velocity), start.species, start.box, LAW, DT, "float32", thermostat=coupling)
    moving.step(1000)
    energies = []
    for _ in range(80):
        moving.step(50)
        energies.append([moving.kinetic_energy, moving.potential_energy])
    kinetic, potential_energy = np.array(energies).transpose(1, 2, 0).reshape(2, -1)
    volume = float(start.box.prod())
    return physical_validation.data.SimulationData(
        units=UNITS,
        ensemble=physical_validation.data.EnsembleData("NVT", N_PARTICLES, volume=volume, temperature=temperature),
        system=physical_validation.data.SystemData(
            natoms=N_PARTICLES, nconstraints=0, ndof_reduction_tra=3, ndof_reduction_rot=0
        ),
        observables=physical_validation.data.ObservableData(
            kinetic_energy=kinetic,
            potential_energy=potential_energy,
            total_energy=kinetic + potential_energy,
            volume=np.full(len(kinetic), volume),
        ),
    )


@pytest.fixture(params=thermostat.names())
def name(request):
    return request.param


def test_kinetic_energy_follows_the_maxwell_boltzmann_distribution(name):
    """Mean and width of the distribution are those of the temperature, within three standard errors."""
    deviations = physical_validation.kinetic_energy.distribution(
        sample(name, COLD), strict=False, verbosity=0, bootstrap_seed=1
    )
    assert max(np.abs(deviations)) < 3


def test_potential_energies_at_two_temperatures_have_boltzmanns_ratio(name):
    """ln P(U, T2)/P(U, T1) is linear in U with the slope of the temperatures, within three standard errors."""
    deviations = physical_validation.ensemble.check(
        sample(name, COLD), sample(name, WARM), verbosity=0, bootstrap_seed=1
    )
    assert max(np.abs(deviations)) < 3


def test_a_fixed_kinetic_energy_would_be_found_out():
    """The check can fail: the same series with its kinetic energy held at the mean does not pass."""
    data = sample(thermostat.names()[0], COLD)
    series = data.observables.kinetic_energy
    data.observables.kinetic_energy = series.mean() + 0.2 * (series - series.mean())
    try:
        deviations = physical_validation.kinetic_energy.distribution(data, strict=False, verbosity=0, bootstrap_seed=1)
    finally:
        data.observables.kinetic_energy = series
    assert max(np.abs(deviations)) > 3
