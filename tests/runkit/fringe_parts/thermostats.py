"""A thermostat that differs by its name."""

from mdgen.thermostats import thermostat
from mdgen.thermostats.bussi import Bussi


@thermostat("fringe-bussi")
class Fringe(Bussi):
    """Keeps half as much."""

    @property
    def constants(self):
        kept, let_in = super().constants
        return 0.5 * kept, let_in
