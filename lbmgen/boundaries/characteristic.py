"""Characteristic: neither sound nor vortices come back, since the wave that would enter is set and the others leave.

Of the waves along the normal, sound that leaves has rho' = u_n' / c_s, so that the amplitude of what enters,
B = rho' - u_n' / c_s = (1 + speed / c_s) rho' - j_n' / c_s (j = rho u, about a flow at `speed`), is zero in it,
whatever its shape. What B there is in a vortex leaves with the flow, and it relaxes as far as the density is not that
of the far field:

    d_t B + speed d_n B = -relaxation (rho - density)

Poinsot and Lele leave out the second term (their L1, relaxation = sigma (1 - Ma^2) c_s / length), and so reflect
vortices; it is what is left of the terms along the face, which others add, for what is carried by the flow. Density
falls along a flow that a pressure drives, too, where momentum does not change: that is no wave and is taken out of
d_n B (`_of_waves`), or it would shift the mean density by speed d_n rho / relaxation. Populations that enter are those
that are carried out at `speed`, as of a convective face, and a part at rest that gives the site its B.

Source: T. J. Poinsot, S. K. Lele, J. Comput. Phys. 101, 104 (1992), doi:10.1016/0021-9991(92)90046-2;
S. Izquierdo, N. Fueyo, Phys. Rev. E 78, 046707 (2008), doi:10.1103/PhysRevE.78.046707 (lattice Boltzmann);
V. Heubes, A. Kapp, M. Ehrhardt, J. Comput. Appl. Math. 262, 51 (2014), doi:10.1016/j.cam.2013.09.019 (along the face).
Units: lattice units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lbmgen.boundaries import boundary
from lbmgen.boundaries.convective import carried
from lbmgen.boundaries.face import Open
from lbmgen.boundaries.site import Flow, Link, Site
from runkit.formula import Value

SOUND = 1 / math.sqrt(3)
# (c_s d rho)^2 is (d j)^2 in sound and much less in a vortex; beyond so many times that, it is a pressure that drives.
MARGIN = 16.0
FAINTEST = 1e-60  # keeps a fluid at rest from 0 / 0


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

    def guess(self, site: Site, link: Link) -> Value:
        """What the flow carries out."""
        return carried(self.speed, link)

    def arriving(self, site: Site, link: Link) -> Value:
        """The guess, with as much at rest, shared out by weights, as gives the site its amplitude."""
        here, inside = _momentum(site), _momentum(site.inside)
        change = [there - j for there, j in zip(inside, here, strict=True)]
        density = _of_waves(site.inside.excess - site.excess, change)
        wanted = self._amplitude(site, site.excess, here) + self.speed * self._amplitude(site, density, change)
        wanted = wanted - self.relaxation * (1.0 + site.excess - self.density)
        found = self._amplitude(site, site.arrived.excess, site.arrived.momentum)
        return link.guess + link.w * (wanted - found) / self._amplitude(site, site.share.excess, site.share.momentum)

    def _amplitude(self, site: Site, excess: Value, momentum: Sequence[Value]) -> Value:
        """That of the wave that enters."""
        outward = sum(n * j for n, j in zip(site.normal, momentum, strict=True))
        return (1.0 + self.speed / SOUND) * excess - outward / SOUND


def _momentum(of: Flow) -> list[Value]:
    return [(1.0 + of.excess) * u for u in of.velocity]


def _of_waves(density: Value, momentum: Sequence[Value]) -> Value:
    """What of a difference of density belongs to sound and vortices, which differ in momentum by as much and more."""
    carried_along = MARGIN * sum(j * j for j in momentum) / SOUND**2
    return density * carried_along / (carried_along + density * density + FAINTEST)
