"""Circle.

Units: the diameter.
"""

from __future__ import annotations

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.shape import Shape
from runkit.arrays import F64
from runkit.elementary import cos, sin


class Circle(Shape):
    """The circle of diameter 1; a cylinder along z in three dimensions."""

    radius = 0.5

    def distance(self, points: F64) -> F64:
        found: F64 = np.linalg.norm(points, axis=-1) - self.radius
        return found

    def support(self, direction: F64) -> float:
        return self.radius

    def surface(self, spacing: float) -> F64:
        angle = np.linspace(0, 2 * np.pi, max(8, int(np.ceil(np.pi / spacing))), endpoint=False)
        return self.radius * np.stack([cos(angle), sin(angle)], axis=-1)


@obstacle("circle")
def circle() -> Circle:
    """A circle whose diameter is its size."""
    return Circle()
