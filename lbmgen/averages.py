"""Means over cells of sites, and the stored fields that are made of them.

Units: lattice units.
"""

from __future__ import annotations

import numpy as np

from runkit.arrays import F64, Array, Bools


def averaged(values: Array, width: int, d: int) -> F64:
    """Mean [cells, …] over cells of `width` sites along each of the first `d` axes; summed in a fixed order."""
    for axis in range(d):
        cells = values.reshape(*values.shape[:axis], values.shape[axis] // width, width, *values.shape[axis + 1 :])
        parts = np.moveaxis(cells, axis + 1, 0)
        values = parts[0].copy()
        for part in parts[1:]:
            values += part
    found: F64 = values / width**d
    return found


def fluid_fraction(solid: Bools, width: int) -> F64:
    """Fluid sites of each cell over all."""
    return averaged((~solid).astype(np.float64), width, solid.ndim)


def density_in_cells(excess: F64, fraction: F64) -> F64:
    """Density [cells] averaged over fluid sites, from the mean of density - 1 over all sites; 1 where none is fluid."""
    return 1.0 + np.divide(excess, fraction, out=np.zeros_like(excess), where=fraction > 0)
