"""Positions, velocities and times as callers give them, as float64, or one line that says what is wrong with them.

Units: those of the potential.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mdgen.config import ASCENDING, ascend
from runkit.arguments import numbers, shown
from runkit.arrays import F64
from runkit.errors import UserError


def rows(name: str, values: ArrayLike) -> F64:
    """Positions or velocities [n, 3] as float64."""
    array = numbers(name, values, "numbers [n, 3]")
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise UserError(f"{name}: numbers [n, 3] are needed, not shape {array.shape}")
    return array


def velocities(position: ArrayLike, values: ArrayLike) -> F64:
    """Velocities of particles at `position`, finite."""
    found, shape = rows("velocity", values), np.shape(position)
    if found.shape != shape or not np.isfinite(found).all():
        raise UserError(f"velocity: finite values of the shape of position {shape} are needed")
    return found


def ascending(times: Sequence[float]) -> list[float]:
    """Times that ascend, as floats."""
    found = numbers("times", times)
    if found.ndim != 1 or not found.size or not ascend(found.tolist()):
        raise UserError(f"times = {shown(times)}: {ASCENDING}, are needed")
    return list(found.tolist())
