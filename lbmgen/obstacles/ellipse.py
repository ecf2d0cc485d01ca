"""Ellipse.

Source: D. Eberly, Distance from a Point to an Ellipse, an Ellipsoid, or a Hyperellipsoid, Geometric Tools (2013): the
nearest point is that of one root, which lies between bounds that bisection closes.
Units: the longest axis.
"""

from __future__ import annotations

import math

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.shape import Shape
from runkit import elementary
from runkit.arrays import F64

CHUNK = 2**15  # points at a time: temporary arrays stay in cache


class Ellipse(Shape):
    """x²/a² + y²/b² <= 1 with a = 1/2 >= b."""

    radius = 0.5

    def __init__(self, b: float) -> None:
        self.a, self.b = 0.5, b

    def distance(self, points: F64) -> F64:
        x, y = np.moveaxis(np.abs(np.asarray(points, dtype=np.float64)), -1, 0)
        n_pieces = 1 + x.size // CHUNK
        pieces = zip(np.array_split(x.ravel(), n_pieces), np.array_split(y.ravel(), n_pieces), strict=True)
        return np.concatenate([self._distance(*piece) for piece in pieces]).reshape(x.shape)

    def support(self, direction: F64) -> float:
        return float(math.hypot(self.a * direction[0], self.b * direction[1]))

    def surface(self, spacing: float) -> F64:
        angle = np.linspace(0, 2 * np.pi, max(8, int(np.ceil(2 * np.pi * self.a / spacing))), endpoint=False)
        return np.stack([self.a * elementary.cos(angle), self.b * elementary.sin(angle)], axis=-1)

    def _distance(self, x: F64, y: F64) -> F64:
        """In the first quadrant. With s = t + b², the nearest point is (a² x / (s + a² - b²), b² y / s).

        It is found from its x alone, which is well defined for every s. The distance is taken along the normal there,
        so an error of the place counts quadratically.
        """
        a, b = self.a, self.b
        split = a * a - b * b
        low, high = b * y, np.sqrt((a * x) ** 2 + (b * y) ** 2)
        for _ in range(48):
            s = 0.5 * (low + high)
            outside = (a * x / (s + split + TINY)) ** 2 + (b * y / (s + TINY)) ** 2 > 1
            low, high = np.where(outside, s, low), np.where(outside, high, s)
        cos = np.minimum(1, a * x / (0.5 * (low + high) + split + TINY))
        sin = np.sqrt(1 - cos * cos)
        normal_x, normal_y = b * cos, a * sin
        along = (x - a * cos) * normal_x + (y - b * sin) * normal_y
        found: F64 = along / np.sqrt(normal_x * normal_x + normal_y * normal_y)
        return found


TINY = 1e-300  # keeps 0 / 0 away at the centre


@obstacle("ellipse")
def ellipse(aspect: float = 2.0) -> Ellipse:
    """An ellipse whose size is its longest axis (along x), `aspect` times the shortest."""
    if not aspect >= 1:
        raise ValueError(f"aspect = {aspect} is not allowed; allowed: 1 or more")
    return Ellipse(0.5 / aspect)
