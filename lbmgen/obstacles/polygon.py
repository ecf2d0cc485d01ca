"""Polygon, regular or with given vertices.

Units: the diameter of the circle through the corners of a regular one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.outline import Outline
from runkit.elementary import cos, sin

MOST_SIDES = 10000


@obstacle("polygon")
def polygon(sides: int = 4, vertices: Sequence[Sequence[float]] | None = None) -> Outline:
    """A regular polygon with a flat side towards +x; with `vertices` [[x, y], …], whatever `sides` is, that polygon.

    Given vertices are kept as they are: in units of the size, about the origin.
    """
    if vertices is None:
        if not 3 <= sides <= MOST_SIDES or sides != int(sides):
            raise ValueError(f"sides = {sides} is not allowed; allowed: whole numbers from 3 to {MOST_SIDES}")
        angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
        return Outline(0.5 * np.stack([cos(angle), sin(angle)], axis=-1))
    corners = np.array(vertices, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
        raise ValueError("vertices must be three or more pairs of finite numbers")
    return Outline(corners)
