"""Lennard-Jones pairs, cut and shifted, and the fluid of one component.

Source: J. E. Lennard-Jones, Proc. Phys. Soc. 43, 461 (1931), doi:10.1088/0959-5309/43/5/301.
Units: those of epsilon and sigma; m = k_B = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdgen.potentials import potential
from mdgen.potentials.pair import PairLaw, PairPotential
from runkit.formula import rounded


@dataclass(frozen=True)
class LennardJones(PairLaw):
    """U(r) = 4 epsilon [(sigma/r)^12 - (sigma/r)^6] - (the same at the cutoff): the force jumps to zero there."""

    def columns(self, cutoff, epsilon, sigma):
        power = (sigma / cutoff) ** 6
        return {
            "repulsion": 48 * epsilon * sigma**12,
            "attraction": -24 * epsilon * sigma**6,
            "shift": 4 * epsilon * (power**2 - power),
        }

    def energy(self, square, pair):
        sixth = 1.0 / (square * square * square)
        return rounded(sixth * (pair.repulsion * (1 / 12) * sixth + pair.attraction * (1 / 6))) - pair.shift

    def force(self, square, pair):
        inverse = 1.0 / square
        sixth = inverse * inverse * inverse
        return (pair.repulsion * sixth + pair.attraction) * (sixth * inverse)

    def virial(self, square, pair):
        sixth = 1.0 / (square * square * square)
        return sixth * (pair.repulsion * sixth + pair.attraction)


@potential("lennard-jones")
def lennard_jones(epsilon: float = 1.0, sigma: float = 1.0, cutoff: float = 2.5) -> PairPotential:
    """One species, cut and shifted at cutoff * sigma."""
    one = np.ones((1, 1))
    return PairPotential.of(LennardJones(), cutoff * sigma * one, epsilon=epsilon * one, sigma=sigma * one)
