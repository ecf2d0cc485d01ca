"""A circle that is smaller than it says."""

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.circle import Circle


class Fringe(Circle):
    """Of diameter 0.8."""

    radius = 0.4


@obstacle("fringe-circle")
def fringe():
    """The circle."""
    return Fringe()
