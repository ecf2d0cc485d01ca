"""Pressure: what comes back is reflected with its sign reversed, which keeps the density and reflects all sound.

h_i = -h_opposite + 2 w_i [rho (1 + 9/2 (c_i·u)^2 - 3/2 u^2) - 1]: an opening free of shear.

Source: I. Ginzburg, F. Verhaeghe, D. d'Humieres, Commun. Comput. Phys. 3, 427 (2008) (anti-bounce-back).
Units: lattice units.
"""

from __future__ import annotations

from dataclasses import dataclass

from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import Open
from lbmgen.boundaries.site import Link, Site
from runkit.formula import Value


@boundary("pressure")
@dataclass(frozen=True)
class Pressure(Open):
    """Density `density`, that is pressure density / 3."""

    density: float = 1.0
    reflects = True

    def arriving(self, site: Site, link: Link) -> Value:
        """What left along the opposite link, with its sign reversed, about the equilibrium of the density."""
        square = sum(u * u for u in site.velocity)
        along = sum(c * u for c, u in zip(link.c, site.velocity, strict=True))
        shape = 1.0 + 4.5 * along * along - 1.5 * square
        return 2.0 * link.w * (self.density * shape - 1.0) - link.opposite
