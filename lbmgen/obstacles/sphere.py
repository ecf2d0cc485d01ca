"""Sphere, the one family that is closed in three dimensions.

Units: the diameter.
"""

from __future__ import annotations

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.circle import Circle
from runkit.arrays import F64
from runkit.elementary import cos, sin


class Sphere(Circle):
    """The sphere of diameter 1."""

    dimensions = 3

    def surface(self, spacing: float) -> F64:
        step = spacing / np.sqrt(2)  # in latitude and along the equator: half a diagonal is spacing / 2
        height = np.linspace(0, np.pi, max(8, int(np.ceil(0.5 * np.pi / step))) + 1)
        around = np.linspace(0, 2 * np.pi, max(8, int(np.ceil(np.pi / step))), endpoint=False)
        theta, phi = (angle.ravel() for angle in np.meshgrid(height, around))
        direction = [sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)]
        return self.radius * np.stack(direction, axis=-1)


@obstacle("sphere")
def sphere() -> Sphere:
    """A sphere whose diameter is its size."""
    return Sphere()
