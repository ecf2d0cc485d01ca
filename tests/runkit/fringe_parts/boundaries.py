"""An open face to a fluid at rest."""

from dataclasses import dataclass

from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import Open


@boundary("fringe-opening")
@dataclass(frozen=True)
class Fringe(Open):
    """What enters is the equilibrium of a fluid of this density that does not move."""

    density: float = 1.0

    def arriving(self, site, link):
        return link.w * (self.density - 1.0)
