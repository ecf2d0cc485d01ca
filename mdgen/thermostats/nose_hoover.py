"""Nosé–Hoover chains, one chain per replica, integrated by Trotter splitting around a velocity-Verlet step.

Source: G. J. Martyna, M. E. Tuckerman, D. J. Tobias and M. L. Klein, Mol. Phys. 87, 1117 (1996),
doi:10.1080/00268979600100761 (the operator exp(iL_NHC dt/2), with Suzuki–Yoshida weights of order 4).
Units: Lennard-Jones (k_B = 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mdgen.thermostats import thermostat

CHAIN_LENGTH = 3
_OUTER = 1 / (2 - 2 ** (1 / 3))
SUZUKI_YOSHIDA = (_OUTER, 1 - 2 * _OUTER, _OUTER)


@thermostat("nose-hoover")
class NoseHooverChain:
    """Deterministic thermostat; chains start with velocities drawn from their canonical distribution."""

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
        self._mass = self._masses()
        draws = np.array([stream.standard_normal(CHAIN_LENGTH) for stream in streams])
        self._velocity = np.ascontiguousarray((draws * np.sqrt(temperature / self._mass)).T)
        self._position = np.zeros_like(self._velocity)

    def _masses(self) -> np.ndarray:
        """Masses of the links of a chain [CHAIN_LENGTH]; the first carries all degrees of freedom."""
        mass = np.full(CHAIN_LENGTH, self.temperature * self.relaxation_time**2)
        mass[0] *= self.degrees_of_freedom
        return mass

    def scale_before(self, kinetic_energy: np.ndarray) -> np.ndarray:
        """Half a step of the chains: factors of the velocities [n_replicas]."""
        self._mass = self._masses()
        factor = np.ones_like(kinetic_energy)
        for weight in SUZUKI_YOSHIDA:
            factor *= self._half_step(2 * kinetic_energy * factor**2, weight * self.dt)
        return factor

    scale_after = scale_before

    def _half_step(self, twice_kinetic: np.ndarray, dt: float) -> np.ndarray:
        """exp(iL_NHC dt/2): the chain from its end to its head, the factor, and back."""
        for link in reversed(range(CHAIN_LENGTH)):
            self._push(link, twice_kinetic, dt)
        factor = np.exp(-dt / 2 * self._velocity[0])
        self._position += dt / 2 * self._velocity
        for link in range(CHAIN_LENGTH):
            self._push(link, twice_kinetic * factor**2, dt)
        return factor

    def _push(self, link: int, twice_kinetic: np.ndarray, dt: float) -> None:
        """A quarter step of one link: pushed by the one before (the head: by the particles), dragged by the next."""
        if link == 0:
            excess = twice_kinetic - self.degrees_of_freedom * self.temperature
        else:
            excess = self._mass[link - 1] * self._velocity[link - 1] ** 2 - self.temperature
        drag = np.exp(-dt / 8 * self._velocity[link + 1]) if link + 1 < CHAIN_LENGTH else 1.0
        self._velocity[link] = (self._velocity[link] * drag + dt / 4 / self._mass[link] * excess) * drag

    @property
    def energy(self) -> np.ndarray:
        """Energy of each chain [n_replicas]."""
        weight = np.ones(CHAIN_LENGTH)
        weight[0] = self.degrees_of_freedom
        return self._masses() / 2 @ self._velocity**2 + self.temperature * weight @ self._position

    def state(self) -> dict[str, np.ndarray]:
        return {"chain_velocity": self._velocity.T.copy(), "chain_position": self._position.T.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self._velocity = np.array(state["chain_velocity"], dtype=np.float64).T.copy()
        self._position = np.array(state["chain_position"], dtype=np.float64).T.copy()
