"""Stochastic velocity rescaling: one random scalar per replica and step, canonical kinetic energy.

Source: G. Bussi, D. Donadio and M. Parrinello, J. Chem. Phys. 126, 014101 (2007), doi:10.1063/1.2408420; the exact
one-step propagator is eq. A7 of the appendix, its sign rule that of G. Bussi and M. Parrinello, Comput. Phys.
Commun. 179, 26 (2008), doi:10.1016/j.cpc.2008.01.006.
Units: Lennard-Jones (k_B = 1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mdgen.thermostats import Values, thermostat
from mdgen.thermostats.random_state import jumped, pack, unpack
from runkit.arrays import F64, Array
from runkit.formula import Value


@thermostat("bussi")
class Bussi:
    """Relaxes the kinetic energy to `temperature` in `relaxation_time` without touching directions."""

    least_steps: ClassVar[int] = 0  # its propagator is exact

    def __init__(
        self,
        temperature: float,
        relaxation_time: float,
        dt: float,
        degrees_of_freedom: int,
        streams: Sequence[np.random.Generator],
    ) -> None:
        self.temperature = temperature
        self.relaxation_time = relaxation_time
        self.dt = dt
        self.degrees_of_freedom = degrees_of_freedom
        self.value = np.zeros((1, len(streams)))
        self._normal = list(streams)
        self._chi_square = [jumped(stream) for stream in streams]

    def draw(self, n_steps: int) -> F64:
        """One normal and one chi-square number for each step [n_steps, 2, n_replicas].

        Each kind has a stream of its own: as vectors they are the numbers that would come one by one.
        """
        numbers = np.zeros((n_steps, 2, len(self._normal)))
        others = self.degrees_of_freedom - 1
        for replica, (normal, chi_square) in enumerate(zip(self._normal, self._chi_square, strict=True)):
            numbers[:, 0, replica] = normal.standard_normal(n_steps)
            if others:
                numbers[:, 1, replica] = chi_square.chisquare(others, n_steps)
        return numbers

    @property
    def constants(self) -> tuple[float, float]:
        """What a step keeps of the kinetic energy, and how much of the reservoir's it lets in."""
        kept = math.exp(-self.dt / self.relaxation_time)
        return kept, (1 - kept) * self.temperature / 2

    before = None

    @staticmethod
    def after(
        kinetic: Value, value: Values, number: Values, constant: Sequence[Value]
    ) -> tuple[Value, Sequence[Value]]:
        """The factor, and the heat given so far."""
        (heat,), (normal, others), (kept, supply) = value, number, constant
        fed = supply / kinetic
        squared = kept + fed * (normal * normal + others) + 2.0 * normal * np.sqrt(kept * fed)
        sign = np.copysign(1.0, normal + np.sqrt(kept / fed))
        return sign * np.sqrt(squared), (heat + (squared - 1.0) * kinetic,)

    @property
    def energy(self) -> F64:
        """Minus the heat given to each replica so far [n_replicas]."""
        heat: F64 = self.value[0]
        return -heat

    def state(self) -> dict[str, Array]:
        return {"heat": self.value[0].copy(), "normal": pack(self._normal), "chi_square": pack(self._chi_square)}

    def restore(self, state: Mapping[str, Array]) -> None:
        self.value = np.array(state["heat"], dtype=np.float64)[None].copy()
        self._normal, self._chi_square = unpack(state["normal"]), unpack(state["chi_square"])
