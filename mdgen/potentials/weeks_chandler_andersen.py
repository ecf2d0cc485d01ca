"""Weeks–Chandler–Andersen mixture: the repulsion of Lennard-Jones pairs alone.

U(r) = 4 epsilon [(sigma/r)^12 - (sigma/r)^6] + epsilon below the minimum at 2^(1/6) sigma, where energy and force
vanish.

Source: J. D. Weeks, D. Chandler and H. C. Andersen, J. Chem. Phys. 54, 5237 (1971), doi:10.1063/1.1674820.
Units: those of epsilon and sigma; m = k_B = 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from mdgen.potentials import potential
from mdgen.potentials.lennard_jones import LennardJones
from mdgen.potentials.pair import PairPotential, mixture


@potential("weeks-chandler-andersen")
def weeks_chandler_andersen(
    epsilon: float | Sequence[float] = 1.0, sigma: float | Sequence[float] = 1.0
) -> PairPotential:
    """Species 0 is A, 1 is B; parameters are (AA, AB, BB) or one value."""
    return mixture(LennardJones(), epsilon, sigma, cutoff=2 ** (1 / 6))
