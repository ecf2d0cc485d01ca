"""The liquid that molecular dynamics is measured on: Kob and Andersen's, from a file or cooled here.

Units: Lennard-Jones.
"""

from __future__ import annotations

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.formats import read
from mdgen.initial import Configuration, melt
from mdgen.neighbors import spatial_order
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities
from runkit.rng import stream

DT = 0.005
LAW = potential.build("kob-andersen")


def liquid(arguments, device=None) -> Configuration:
    """What all cases start from: that of the file, or a liquid cooled on the device."""
    return read(arguments.start)[0] if arguments.start else _cooled(arguments.temperature, device)


def _cooled(temperature: float, device, n_particles: int = 4096) -> Configuration:
    """A liquid cooled from a melt in 100 time units: near enough to equilibrium for its speed."""
    start = melt(n_particles, (0.8, 0.2), 1.2, 1, 0)
    coupling = thermostat.build(
        "bussi",
        temperature=2.0,
        relaxation_time=0.5,
        dt=DT,
        degrees_of_freedom=3 * n_particles - 3,
        streams=[stream(1, "bench")],
    )
    velocity = maxwell_velocities(n_particles, 2.0, 1, 0)
    given = (start.position[None], velocity[None], start.species, start.box, LAW, DT)
    dynamics = Dynamics(*given, thermostat=coupling, order=spatial_order(start.position, start.box), device=device)
    for fraction in np.linspace(0, 1, 20):
        coupling.temperature = 2.0 + fraction * (temperature - 2.0)
        dynamics.step(1000)
    return Configuration.of("cooled", dynamics.position[0], start.species, start.box)
