"""Stored fields of a block: density and velocity averaged over cells, and the constant fields.

Units: lattice units.
"""

from __future__ import annotations

import numpy as np

from lbmgen.averages import averaged
from runkit.arrays import F64, Bools


def fluid_fraction(solid: Bools, width: int) -> F64:
    """Fluid sites of each cell over all."""
    return averaged((~solid).astype(np.float64), width, solid.ndim)


def density_in_cells(excess: F64, fraction: F64) -> F64:
    """Density [cells] averaged over fluid sites, from the mean of density - 1 over all sites; 1 where none is fluid."""
    return 1.0 + np.divide(excess, fraction, out=np.zeros_like(excess), where=fraction > 0)
