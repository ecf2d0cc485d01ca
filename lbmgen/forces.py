"""The force on bodies by momentum exchange: what populations bring along each link plus what they take back.

Source: A. J. C. Ladd, J. Fluid Mech. 271, 285 (1994), doi:10.1017/S0022112094001771.
Units: lattice units.
"""

from __future__ import annotations

import numpy as np

from lbmgen.lattices import Lattice

QUANTUM = 2.0**-48  # of the kernels' integer sums


def momentum_exchange(lattice: Lattice, tally: np.ndarray, n_leaving: np.ndarray) -> np.ndarray:
    """Force [n_steps, d] from the integer sums [n_steps, d] and the number of links along each velocity [q]."""
    at_rest = 2 * (np.array(lattice.w) * n_leaving) @ np.array(lattice.c, np.float64)
    return tally * QUANTUM + at_rest
