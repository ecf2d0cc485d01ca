"""A law that relaxes the even part of populations at its own rate."""

from dataclasses import dataclass

from lbmgen.collisions import collision
from lbmgen.collisions.bgk import BGK, relax


@collision("fringe-bgk")
@dataclass(frozen=True)
class Fringe(BGK):
    """BGK at a rate that is `share` of the one wanted."""

    share: float = 0.5

    def collide(self, lattice, h, rates, force=None):
        return relax(lattice, h, self.share * rates[0], force)
