"""A wall that has a name of its own."""

from dataclasses import dataclass

from lbmgen.boundaries import boundary
from lbmgen.boundaries.wall import NoSlip


@boundary("fringe-wall")
@dataclass(frozen=True)
class Fringe(NoSlip):
    """At rest, or sliding."""
