"""Outlets: a given pressure, or populations carried out by the flow.

Pressure: what comes back is reflected with its sign reversed, h_i = -h_opposite + 2 w_i [rho (1 + 9/2 (c_i·u)^2 -
3/2 u^2) - 1]: an opening free of shear, which reflects all sound. Convective: d_t h_i + speed d_n h_i = 0 for what
enters, with a weak pull of the density to the given one: vortices pass almost undistorted if `speed` is that of the
flow, and sound comes back at a third of its height or less (docs/validation.md).

Source: I. Ginzburg, D. d'Humieres, A. Kuzmin, J. Stat. Phys. 139, 1090 (2010), doi:10.1007/s10955-010-9967-9
(pressure); Z. Yang, Comput. Fluids 84, 58 (2013), doi:10.1016/j.compfluid.2013.05.019 (convective).
Units: lattice units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lbmgen.boundaries import boundary

PRESSURE, CONVECTIVE = 0, 1


@boundary("pressure")
@dataclass(frozen=True)
class Pressure:
    """Density `density`, that is pressure density / 3."""

    density: float = 1.0
    speed = 0.0
    law = PRESSURE
    kind = "OPEN"
    priority = 3

    def __post_init__(self) -> None:
        _require_density(self.density)


@boundary("convective")
@dataclass(frozen=True)
class Convective:
    """Populations that enter are carried at `speed`, best that of the flow, from inside."""

    speed: float = 0.1
    density: float = 1.0
    law = CONVECTIVE
    kind = "OPEN"
    priority = 3

    def __post_init__(self) -> None:
        _require_density(self.density)
        if not self.speed > 0:
            raise ValueError(f"speed = {self.speed:g}; allowed: above 0")


def _require_density(density: float) -> None:
    if not 0 < density < math.inf:
        raise ValueError(f"density = {density:g}; allowed: above 0")
