"""Flow, by another name."""

from dtrain.data import data
from dtrain.data.flow import Flow


@data("fringe-data")
class Fringe(Flow):
    """Clips of a FLOW file."""
