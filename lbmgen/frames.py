"""What is stored of a block: density and velocity averaged over cells, and what does not change in time.

Units: lattice units.
"""

from __future__ import annotations

import numpy as np

from lbmgen.block import Block


def averaged(values: np.ndarray, width: int, d: int) -> np.ndarray:
    """Mean [cells, …] over cells of `width` sites along each of the first `d` axes; summed in a fixed order."""
    for axis in range(d):
        cells = values.reshape(*values.shape[:axis], values.shape[axis] // width, width, *values.shape[axis + 1 :])
        parts = np.moveaxis(cells, axis + 1, 0)
        values = parts[0].copy()
        for part in parts[1:]:
            values += part
    return values / width**d


def fluid_fraction(block: Block, width: int) -> np.ndarray:
    """Fluid sites of each cell over all."""
    return averaged((~block.solid).astype(np.float64), width, block.solid.ndim)


def density_and_velocity(block: Block, width: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Density [cells], over fluid sites, velocity [cells, d], over all sites, and the largest speed of a site."""
    rho, u = block.moments()
    fraction = fluid_fraction(block, width)
    excess = averaged(rho - 1.0, width, rho.ndim)  # solid sites have none
    density = 1.0 + np.divide(excess, fraction, out=np.zeros_like(excess), where=fraction > 0)
    square = (u * u).sum(axis=-1)
    fastest = float(np.sqrt(square.max())) if np.isfinite(square).all() and np.isfinite(rho).all() else float("inf")
    return density, averaged(u, width, rho.ndim), fastest
