"""What is stored of a block: density and velocity averaged over cells, and what does not change in time.

Units: lattice units.
"""

from __future__ import annotations

import numpy as np

from lbmgen.averages import averaged


def fluid_fraction(solid: np.ndarray, width: int) -> np.ndarray:
    """Fluid sites of each cell over all."""
    return averaged((~solid).astype(np.float64), width, solid.ndim)


def density_in_cells(excess: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Density [cells] averaged over fluid sites, from the mean of density - 1 over all sites; 1 where none is fluid."""
    return 1.0 + np.divide(excess, fraction, out=np.zeros_like(excess), where=fraction > 0)
