"""Checks of a simulation's results: conserved energy, canonical kinetic energy.

Units: those of the potential; mass 1, k_B = 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammainc, gammaincc

from runkit.arrays import F64, Bools

EXPLODED = 0.1  # change of total energy per particle, in units of the temperature, that no sound trajectory shows
IMPROBABLE = 1e-9  # a sound sample fails the test of its kinetic energy once in 500 million times


def exploded(energy: ArrayLike, start: F64, temperature: float | F64) -> Bools:
    """Which replicas [R] have a total energy per particle that left its value at the `start` [R], or is not a number.

    `temperature`, one or [R], is the measure.
    """
    kept: Bools = np.abs(np.asarray(energy) - start) <= EXPLODED * temperature
    return ~kept


def is_canonical(kinetic_energy: ArrayLike, degrees_of_freedom: int, temperature: float) -> Bools:
    """Whether kinetic energies [R] can be those of a system at `temperature`.

    In equilibrium 2 K / T is distributed as chi-square with so many degrees of freedom; an improbable value shows that
    the thermostat did not reach the temperature.
    """
    half, value = degrees_of_freedom / 2, np.asarray(kinetic_energy) / temperature
    probable: Bools = (gammainc(half, value) > IMPROBABLE) & (gammaincc(half, value) > IMPROBABLE)
    return probable
