"""NACA aerofoils of four digits.

Source: E. N. Jacobs, K. E. Ward and R. M. Pinkerton, NACA Report 460 (1933): thickness, mean line, and the surface at
right angles to it. The trailing edge has the finite thickness of the report and is closed by a straight edge.
Units: the chord.
"""

from __future__ import annotations

import re

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.outline import Outline, sampled
from runkit.arrays import F64
from runkit.elementary import cos


@obstacle("aerofoil")
def aerofoil(code: str = "0012") -> Outline:
    """NACA `code`: camber [%], its place [tenths], thickness [%, two digits]; nose at x = -1/2, tail at x = +1/2."""
    if not re.fullmatch(r"\d{4}", code) or code.endswith("00") or (code[0] != "0") != (code[1] != "0"):
        raise ValueError(f"code = {code!r} is not allowed; allowed: four digits such as '0012' or '2412'")
    camber, place, thickness = int(code[0]) / 100, int(code[1]) / 10, int(code[2:]) / 100

    def surface(t: F64) -> F64:
        # Over the upper side from the tail to the nose and back over the lower one; root is sqrt(x), negative below.
        root = cos(np.pi * t)
        x = root * root
        half = 5 * thickness * (0.2969 * root + np.sign(root) * _polynomial(x))
        mean, slope = _mean_line(x, camber, place)
        scale = half / np.sqrt(1 + slope * slope)
        return np.stack([x - 0.5 - scale * slope, mean + scale], axis=-1)

    return Outline(sampled(surface))


def _polynomial(x: F64) -> F64:
    return x * (-0.1260 + x * (-0.3516 + x * (0.2843 - 0.1015 * x)))


def _mean_line(x: F64, camber: float, place: float) -> tuple[F64, F64]:
    """Height and slope of the mean line: two parabolas that meet at its highest point."""
    if camber == 0:
        return np.zeros_like(x), np.zeros_like(x)
    reach = np.where(x < place, place, 1 - place)
    behind = (x - place) / reach
    return camber * (1 - behind * behind), -2 * camber * behind / reach
