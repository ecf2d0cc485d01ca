"""Whether what a simulation has led to can be believed.

Units: those of the potential; mass 1, k_B = 1.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc, gammaincc

EXPLODED = 0.1  # change of total energy per particle, in units of the temperature, that no sound trajectory shows
IMPROBABLE = 1e-9  # a sound sample fails the test of its kinetic energy once in 500 million times


def exploded(energy, start, temperature) -> np.ndarray:
    """Where total energy per particle [R] has left its value at the `start` [R], or is not a number.

    `temperature`, one or [R], is the measure.
    """
    return ~(np.abs(np.asarray(energy) - start) <= EXPLODED * temperature)


def is_canonical(kinetic_energy, degrees_of_freedom: int, temperature: float) -> np.ndarray:
    """Whether kinetic energies [R] can be those of a system at `temperature`.

    In equilibrium 2 K / T is distributed as chi-square with so many degrees of freedom; one whose tail is improbable
    tells of a thermostat that has not done its work.
    """
    half, value = degrees_of_freedom / 2, np.asarray(kinetic_energy) / temperature
    return (gammainc(half, value) > IMPROBABLE) & (gammaincc(half, value) > IMPROBABLE)
