"""What part of the cross-section bodies take: the union of their shadows along the flow, which goes along x.

In two dimensions shadows are intervals, exactly. In three they are painted on a grid of cells of a quarter of a site
(coarser in a large domain) by points of the surfaces, which cover a shadow to half a cell at its rim.
Units: sites.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lbmgen.obstacles.placed import PlacedShape
from runkit.arrays import F64, Bools

CELL, MOST_CELLS = 0.25, 512  # width of a cell; cells along an axis


def shadow(bodies: Sequence[PlacedShape], shape: Sequence[int], periodic: Sequence[bool]) -> float:
    """Part of the cross-section of a domain of `shape` sites, the first axis along the flow."""
    if not bodies:
        return 0.0
    if len(shape) == 2:
        return _covered([body.extent(1) for body in bodies], float(shape[1]), periodic[1]) / shape[1]
    width = max(CELL, max(shape[1:]) / MOST_CELLS)
    cells = [int(np.ceil(n / width)) for n in shape[1:]]
    if any(body.width > 2 * shape[1] for body in bodies):  # more points than there would be cells
        return 1.0
    picture = np.zeros(cells, bool)
    for body in bodies:
        _paint(picture, body.surface(width), width, periodic[1:])
    return float(picture.mean())


def _covered(intervals: Sequence[tuple[float, float]], length: float, periodic: bool) -> float:
    """Length of the union of intervals in [0, length], what lies beyond being cut off, or on the other side."""
    pieces = []
    for low, high in intervals:
        shifts = (-length, 0.0, length) if periodic else (0.0,)
        pieces += [(max(0.0, low + shift), min(length, high + shift)) for shift in shifts]
    total, end = 0.0, 0.0
    for low, high in sorted(pieces):
        total += max(0.0, high - max(low, end))
        end = max(end, high)
    return total


def _paint(picture: Bools, points: F64, width: float, periodic: Sequence[bool]) -> None:
    """Mark the cells behind points [n, 2 or 3]; a shape of two dimensions covers all of z."""
    index = np.floor(points[:, 1:] / width).astype(np.int64)
    keep = np.ones(len(index), bool)
    for axis, (n, wraps) in enumerate(zip(picture.shape, periodic, strict=True)):
        if axis < index.shape[1]:
            index[:, axis] = index[:, axis] % n if wraps else index[:, axis]
            keep &= (index[:, axis] >= 0) & (index[:, axis] < n)
    index = index[keep]
    picture[tuple(index.T)] = True
