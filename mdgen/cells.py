"""Cells by which particles are sorted in space on a GPU.

Units: lengths in the units of the box.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mdgen.kernels import gpu
from runkit.arrays import F64, I32

FINE = 4  # cells along a column for the length of its edge, so that chunks cut columns almost where they end


def cells(box: ArrayLike, n_particles: int, reach: float) -> I32:
    """How many cells each axis has, int32 [R, 3], in boxes [R, 3] of `n_particles` with lists up to `reach`.

    The edge of a column is that of a cube with as many particles as a chunk, at the mean density; never more than the
    reach, for clusters in large boxes, unless there would be more cells than there is memory for.
    """
    return np.array([_cells(edges, n_particles, reach) for edges in np.asarray(box, np.float64)], np.int32)


def _cells(box: F64, n_particles: int, reach: float) -> F64:
    edge = min((gpu.CHUNK * box.prod() / n_particles) ** (1 / 3), reach)
    while True:
        number: F64 = np.maximum(1.0, np.rint(box / edge * (1, 1, FINE)))
        if number.prod() <= gpu.CELLS * n_particles:
            return number
        edge *= 1.1
