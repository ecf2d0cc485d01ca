"""Replicas of the Kob–Andersen liquid as steps measure them; the one place where steps reach into molecular dynamics.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.formats import read
from mdgen.gpu_engine import GpuEngine
from mdgen.initial import Configuration, melt
from mdgen.neighbors import spatial_order
from mdgen.thermostats import thermostat
from mdgen.tuning import DEFAULT, Tuning
from mdgen.velocities import maxwell_velocities
from runkit.rng import stream
from tools.benchmarks.liquid import DT, LAW
from tools.gpu_check.step import Bench

TEMPERATURE = 0.44
STATES = 64  # velocities drawn; more replicas than that share them


class Ensemble(NamedTuple):
    """Replicas of `starts`, `n_replicas` of each."""

    starts: Sequence[Configuration]
    n_replicas: int
    precision: str = "float32"
    coupling: str = ""
    temperature: float = TEMPERATURE

    def on(self, device: Any, tuning: Tuning = DEFAULT) -> Dynamics:
        """Them on a device, with velocities of the temperature."""
        n = len(self.starts[0].species)
        units = [(c, k) for c in range(len(self.starts)) for k in range(self.n_replicas)]
        drawn = {unit: maxwell_velocities(n, self.temperature, 11, *unit) for unit in units if unit[1] < STATES}
        of_start = ("position", "species", "box")
        position, species, box = (np.stack([getattr(self.starts[c], name) for c, _ in units]) for name in of_start)
        order = [spatial_order(start.position, start.box) for start in self.starts]
        law = self.coupling and thermostat.get(self.coupling)(
            self.temperature, 0.1, DT, 3 * n - 3, [stream(1, "check", c, k) for c, k in units]
        )
        velocity = np.stack([drawn[c, k % STATES] for c, k in units])
        given = (position, velocity, species, box, LAW, DT, self.precision)
        orders = np.stack([order[c] for c, _ in units])
        return Dynamics(*given, thermostat=law or None, order=orders, device=device, tuning=tuning)


def equilibrated(bench: Bench) -> Configuration:
    """A published configuration of 4096 particles, if there is one; else a melt, whose lists are a little longer."""
    files = bench.configurations()
    if files and not bench.tiny:
        return read(files[0])[0]
    return melt(bench.size(4096, 256), (0.8, 0.2), 1.2, 1, 0)


def kernels(dynamics: Dynamics) -> Any:
    """What launches kernels for these replicas: whether a replica has `one_block`, and blocks how many `threads`."""
    assert isinstance(dynamics.engine, GpuEngine)  # on a GPU
    return dynamics.engine.kernels
