"""Kob–Andersen mixture whose energy and force both go to zero at the cutoff.

U(r) = V(r) - V(r_c) - (r - r_c) V'(r_c) with V = 4 epsilon [(sigma/r)^12 - (sigma/r)^6].

Source: S. Toxvaerd and J. C. Dyre, J. Chem. Phys. 134, 081102 (2011), doi:10.1063/1.3558787 (shifted forces);
W. Kob and H. C. Andersen, Phys. Rev. E 51, 4626 (1995), doi:10.1103/PhysRevE.51.4626 (parameters).
Units: epsilon_AA, sigma_AA, m, k_B = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdgen.potentials import potential
from mdgen.potentials.kob_andersen import EPSILON, SIGMA
from mdgen.potentials.pair import PairLaw, PairPotential


@dataclass(frozen=True)
class ForceShifted(PairLaw):
    """Lennard-Jones plus a constant force that takes away the one at the cutoff."""

    def columns(self, cutoff, epsilon, sigma):
        power = (sigma / cutoff) ** 6
        edge_energy = 4 * epsilon * (power**2 - power)
        edge_force = 24 * epsilon * (2 * power**2 - power) / cutoff
        return {
            "repulsion": 4 * epsilon * sigma**12,
            "attraction": -4 * epsilon * sigma**6,
            "edge_force": edge_force,
            "shift": edge_energy + edge_force * cutoff,
        }

    def energy(self, square, pair):
        sixth = 1.0 / (square * square * square)
        return sixth * (pair.repulsion * sixth + pair.attraction) + (pair.edge_force * np.sqrt(square) - pair.shift)

    def force(self, square, pair):
        inverse = 1.0 / square
        sixth = inverse * inverse * inverse
        pull = (12.0 * pair.repulsion * sixth + 6.0 * pair.attraction) * sixth
        return inverse * (pull - pair.edge_force * np.sqrt(square))


@potential("kob-andersen-force-shifted")
def kob_andersen_force_shifted(cutoff: float = 2.5) -> PairPotential:
    """The 80:20 mixture, species 0 is A and species 1 is B; energy and force end at cutoff * sigma_ab."""
    return PairPotential.of(ForceShifted(), cutoff * SIGMA, epsilon=EPSILON, sigma=SIGMA)
