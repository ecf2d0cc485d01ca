"""Stochastic velocity rescaling: one random scalar per replica and step, canonical kinetic energy.

Source: G. Bussi, D. Donadio and M. Parrinello, J. Chem. Phys. 126, 014101 (2007), doi:10.1063/1.2408420; the exact
one-step propagator is eq. A7 of the appendix, its sign rule that of G. Bussi and M. Parrinello, Comput. Phys.
Commun. 179, 26 (2008), doi:10.1016/j.cpc.2008.01.006.
Units: Lennard-Jones (k_B = 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mdgen.thermostats import thermostat
from mdgen.thermostats.random_state import pack, unpack


@thermostat("bussi")
class Bussi:
    """Relaxes the kinetic energy to `temperature` in `relaxation_time` without touching directions."""

    def __init__(
        self,
        temperature: float,
        relaxation_time: float,
        dt: float,
        degrees_of_freedom: int,
        streams: Sequence[np.random.Generator],
    ):
        self.temperature = temperature
        self.relaxation_time = relaxation_time
        self.dt = dt
        self.degrees_of_freedom = degrees_of_freedom
        self._streams = list(streams)
        self._heat = np.zeros(len(self._streams))

    def scale_before(self, kinetic_energy: np.ndarray) -> None:
        return None

    def scale_after(self, kinetic_energy: np.ndarray) -> np.ndarray:
        """Factors of the velocities [n_replicas], each from one normal and one chi-square number."""
        normal = np.array([stream.standard_normal() for stream in self._streams])
        others = np.array([_chi_square(stream, self.degrees_of_freedom - 1) for stream in self._streams])
        kept = np.exp(-self.dt / self.relaxation_time)
        fed = (1 - kept) * self.temperature / (2 * kinetic_energy)
        squared = kept + fed * (normal**2 + others) + 2 * normal * np.sqrt(kept * fed)
        sign = np.where(normal + np.sqrt(kept / fed) < 0, -1.0, 1.0)
        self._heat += (squared - 1) * kinetic_energy
        return sign * np.sqrt(squared)

    @property
    def energy(self) -> np.ndarray:
        """Minus the heat given to each replica so far [n_replicas]."""
        return -self._heat

    def state(self) -> dict[str, np.ndarray]:
        return {"heat": self._heat.copy(), "random": pack(self._streams)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self._heat = np.array(state["heat"], dtype=np.float64)
        self._streams = unpack(state["random"])


def _chi_square(stream: np.random.Generator, degrees_of_freedom: int) -> float:
    return stream.chisquare(degrees_of_freedom) if degrees_of_freedom > 0 else 0.0
