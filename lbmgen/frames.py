"""What is stored of a block: density and velocity averaged over cells, and what does not change in time.

Units: lattice units.
"""

from __future__ import annotations

import math

import numpy as np


def averaged(values: np.ndarray, width: int, d: int) -> np.ndarray:
    """Mean [cells, …] over cells of `width` sites along each of the first `d` axes; summed in a fixed order."""
    for axis in range(d):
        cells = values.reshape(*values.shape[:axis], values.shape[axis] // width, width, *values.shape[axis + 1 :])
        parts = np.moveaxis(cells, axis + 1, 0)
        values = parts[0].copy()
        for part in parts[1:]:
            values += part
    return values / width**d


def fluid_fraction(solid: np.ndarray, width: int) -> np.ndarray:
    """Fluid sites of each cell over all."""
    return averaged((~solid).astype(np.float64), width, solid.ndim)


def density_in_cells(rho: np.ndarray, fraction: np.ndarray, width: int) -> np.ndarray:
    """Density [cells], averaged over fluid sites; 1 where there are none."""
    excess = averaged(rho - 1.0, width, rho.ndim)  # solid sites have none
    return 1.0 + np.divide(excess, fraction, out=np.zeros_like(excess), where=fraction > 0)


def fastest(u: np.ndarray) -> float:
    """Largest speed of a site; infinite if one is not finite."""
    square = float((u * u).sum(axis=-1).max())
    return math.sqrt(square) if math.isfinite(square) else math.inf
