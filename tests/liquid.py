"""A small liquid to start from."""

from __future__ import annotations

import mdgen
from mdgen.initial import melt
from mdgen.velocities import maxwell_velocities
from runkit.arrays import F64, Ints


def small_liquid(temperature: float) -> tuple[F64, Ints, F64]:
    """Position, species and box of 250 particles, soon after a start at an energy minimum with this temperature."""
    start = melt(250, [0.8, 0.2], 1.2, seed=1, sample=0)
    species = start.species.astype(int)
    minimum = mdgen.inherent_position(start.position, species, start.box)
    velocity = maxwell_velocities(250, temperature, 1, 0, 0)
    return mdgen.propagate(minimum, velocity, species, start.box, 0.005, 400)[0], species, start.box
