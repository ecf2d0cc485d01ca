"""Any binary Lennard-Jones mixture, its parameters given one by one.

Units: those of epsilon and sigma; m = k_B = 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from mdgen.potentials import potential
from mdgen.potentials.lennard_jones import LennardJones
from mdgen.potentials.pair import PairPotential, mixture


@potential("binary-lennard-jones")
def binary_lennard_jones(
    epsilon: float | Sequence[float] = 1.0,
    sigma: float | Sequence[float] = 1.0,
    cutoff: float | Sequence[float] = 2.5,
) -> PairPotential:
    """Species 0 is A, 1 is B; parameters are (AA, AB, BB) or one value; cut and shifted at cutoff * sigma_ab."""
    return mixture(LennardJones(), epsilon, sigma, cutoff)
