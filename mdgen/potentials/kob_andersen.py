"""Kob–Andersen 80:20 binary Lennard-Jones mixture.

Source: W. Kob and H. C. Andersen, Phys. Rev. E 51, 4626 (1995), doi:10.1103/PhysRevE.51.4626.
Units: epsilon_AA, sigma_AA, m, k_B = 1.
"""

from __future__ import annotations

import numpy as np

from mdgen.potentials import potential
from mdgen.potentials.lennard_jones import LennardJones
from mdgen.potentials.pair import PairPotential

EPSILON = np.array([[1.0, 1.5], [1.5, 0.5]])
SIGMA = np.array([[1.0, 0.8], [0.8, 0.88]])


@potential("kob-andersen")
def kob_andersen(cutoff: float = 2.5) -> PairPotential:
    """The 80:20 mixture, species 0 is A and species 1 is B, cut and shifted at cutoff * sigma_ab."""
    return PairPotential.of(LennardJones(), cutoff * SIGMA, epsilon=EPSILON, sigma=SIGMA)
