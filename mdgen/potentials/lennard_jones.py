"""One-component Lennard-Jones fluid.

Source: J. E. Lennard-Jones, Proc. Phys. Soc. 43, 461 (1931), doi:10.1088/0959-5309/43/5/301.
Units: those of epsilon and sigma; m = k_B = 1.
"""

from __future__ import annotations

import numpy as np

from mdgen.potentials import potential
from mdgen.potentials.pair import PairPotential


@potential("lennard-jones")
def lennard_jones(epsilon: float = 1.0, sigma: float = 1.0, cutoff: float = 2.5) -> PairPotential:
    """One species, cut and shifted at cutoff * sigma."""
    one = np.ones((1, 1))
    return PairPotential.lennard_jones(epsilon * one, sigma * one, cutoff * sigma * one)
