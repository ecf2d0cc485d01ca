"""Means over cells of sites."""

from __future__ import annotations

import numpy as np

from runkit.arrays import F64, Array


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
