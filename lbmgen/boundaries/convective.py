"""Convective: populations are carried out by the flow, d_t h_i + speed d_n h_i = 0 for what enters.

A weak pull draws the density to the given one. Vortices pass almost undistorted if `speed` is that of the flow, and
sound comes back at a third of its height or less (docs/validation.md).

Source: Z. Yang, Comput. Math. Appl. 65, 160 (2013), doi:10.1016/j.camwa.2012.11.012.
Units: lattice units.
"""

from __future__ import annotations

from dataclasses import dataclass

from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import Open
from lbmgen.boundaries.site import Link, Site
from runkit.formula import Value

ANCHOR = 0.01  # share of a deviation of density that is taken away each step; more would reflect sound


@boundary("convective")
@dataclass(frozen=True)
class Convective(Open):
    """Populations that enter are carried at `speed`, best that of the flow, from inside."""

    speed: float = 0.1
    density: float = 1.0
    from_flow = "speed"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.speed > 0:
            raise ValueError(f"speed = {self.speed:g}; allowed: above 0")

    def arriving(self, site: Site, link: Link) -> Value:
        """Upwind and implicit, so that any speed is stable."""
        return carried(self.speed, link) - ANCHOR * link.w * (1.0 + site.excess - self.density)


def carried(speed: Value, link: Link) -> Value:
    """What a link's population becomes, carried out at a speed."""
    return (link.memory + speed * link.inner) / (1.0 + speed)
