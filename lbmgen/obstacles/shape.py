"""The base class of obstacle shapes.

Units: the size of the shape (its reference diameter is 1); the origin is its centre.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np

from runkit.arrays import F64


class Shape(ABC):
    """A solid body about the origin, in two dimensions (then endless along z) or in three.

    `radius`: every point of the body is within this distance of the origin.
    """

    dimensions = 2
    radius: float

    @abstractmethod
    def distance(self, points: F64) -> F64:
        """Euclidean distance [...] of points [..., dimensions] to the surface, negative inside."""

    @abstractmethod
    def support(self, direction: F64) -> float:
        """How far the body reaches along a unit vector [dimensions]: the maximum of x · direction over the body."""

    @abstractmethod
    def surface(self, spacing: float) -> F64:
        """Points [n, dimensions] on the surface, so dense that none of it is farther than spacing / 2 from one."""

    @cached_property
    def thickness(self) -> float:
        """Diameter of the largest circle (or sphere) that fits inside, within 0.001; never more than the true one."""
        center, reach = np.zeros(self.dimensions), self.radius
        for _ in range(4):
            ticks = reach * np.linspace(-1, 1, 33)
            grid = center + np.stack(np.meshgrid(*[ticks] * self.dimensions), axis=-1).reshape(-1, self.dimensions)
            distance = self.distance(grid)
            center, reach = grid[distance.argmin()], 3 * (ticks[1] - ticks[0])
        return max(0.0, -2.0 * float(distance.min()))
