"""Characteristic: neither sound nor vortices come back, since the wave that would enter is set and the others leave.

Of the waves along the normal, sound that leaves has rho' = u_n' / c_s, so that the amplitude of what enters,
B = rho' - u_n' / c_s = (1 + speed / c_s) rho' - j_n' / c_s (j = rho u, about a flow at `speed`), is zero whatever sound
leaves. What B there is in a vortex leaves with the flow, and it relaxes as far as the density is not that of the far
field:

    d_t B + speed d_n B = -relaxation (rho - density)

The first term alone is what Poinsot and Lele assume (their L1, relaxation = sigma (1 - Ma^2) c_s / length), and
reflects vortices as they are; the second is what is left of the terms along the face, which others add to it, for what
is carried by the flow. Populations that enter are those carried out at `speed`, as of a convective face, and a part at
rest that gives the site the amplitude B.

Source: T. J. Poinsot, S. K. Lele, J. Comput. Phys. 101, 104 (1992), doi:10.1016/0021-9991(92)90046-2;
S. Izquierdo, N. Fueyo, Phys. Rev. E 78, 046707 (2008), doi:10.1103/PhysRevE.78.046707 (lattice Boltzmann);
V. Heubes, A. Kapp, M. Ehrhardt, J. Comput. Appl. Math. 262, 51 (2014), doi:10.1016/j.cam.2013.09.019 (along the face).
Units: lattice units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lbmgen.boundaries import boundary
from lbmgen.boundaries.convective import carried
from lbmgen.boundaries.face import Open

SOUND = 1 / math.sqrt(3)


@boundary("characteristic")
@dataclass(frozen=True)
class Characteristic(Open):
    """The far field has density `density` and flows out at `speed`; `relaxation` is the rate [1/step] towards it."""

    speed: float = 0.1
    density: float = 1.0
    relaxation: float = 0.001
    from_flow = "speed"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.speed < 1:
            raise ValueError(f"speed = {self.speed:g}; allowed: above 0, below 1")
        if not 0 <= self.relaxation < 1:
            raise ValueError(f"relaxation = {self.relaxation:g}; allowed: 0 or more, below 1")

    @staticmethod
    def guess(face: Any, site: Any, link: Any) -> Any:
        """What the flow carries out."""
        return carried(face, link)

    @staticmethod
    def arriving(face: Any, site: Any, link: Any) -> Any:
        """The guess, with as much at rest, shared out by weights, as gives the site its amplitude."""
        here = _amplitude(face, site, site.excess, _momentum(site))
        inside = _amplitude(face, site, site.inside.excess, _momentum(site.inside))
        wanted = here + face.speed * (inside - here) - face.relaxation * (1.0 + site.excess - face.density)
        found = _amplitude(face, site, site.arrived.excess, site.arrived.momentum)
        return link.guess + link.w * (wanted - found) / _amplitude(face, site, site.share.excess, site.share.momentum)


def _amplitude(face: Any, site: Any, excess: Any, momentum: Any) -> Any:
    """That of the wave that enters."""
    outward = sum(n * j for n, j in zip(site.normal, momentum, strict=True))
    return (1.0 + face.speed / SOUND) * excess - outward / SOUND


def _momentum(of: Any) -> list[Any]:
    return [(1.0 + of.excess) * u for u in of.velocity]
