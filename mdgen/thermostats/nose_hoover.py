"""Nosé–Hoover chains, one chain per replica, integrated by Trotter splitting around a velocity-Verlet step.

Source: G. J. Martyna, M. E. Tuckerman, D. J. Tobias and M. L. Klein, Mol. Phys. 87, 1117 (1996),
doi:10.1080/00268979600100761 (the operator exp(iL_NHC dt/2), eqs. 29-33, with Suzuki–Yoshida weights of order 4).
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
            factor *= self._half_step(kinetic_energy * factor**2, weight * self.dt)
        return factor

    scale_after = scale_before

    def _half_step(self, kinetic_energy: np.ndarray, dt: float) -> np.ndarray:
        """exp(iL_NHC dt/2): the chain from its end to its head, the factor, and back."""
        velocity = self._velocity
        self._kick(CHAIN_LENGTH - 1, kinetic_energy, dt)
        for link in range(CHAIN_LENGTH - 2, -1, -1):
            self._dragged_kick(link, kinetic_energy, dt)
        factor = np.exp(-velocity[0] * dt / 2)
        self._position += velocity * dt / 2
        for link in range(CHAIN_LENGTH - 1):
            self._dragged_kick(link, kinetic_energy * factor**2, dt)
        self._kick(CHAIN_LENGTH - 1, kinetic_energy * factor**2, dt)
        return factor

    def _dragged_kick(self, link: int, kinetic_energy: np.ndarray, dt: float) -> None:
        drag = np.exp(-self._velocity[link + 1] * dt / 8)
        self._velocity[link] *= drag
        self._kick(link, kinetic_energy, dt)
        self._velocity[link] *= drag

    def _kick(self, link: int, kinetic_energy: np.ndarray, dt: float) -> None:
        if link == 0:
            excess = 2 * kinetic_energy - self.degrees_of_freedom * self.temperature
        else:
            excess = self._mass[link - 1] * self._velocity[link - 1] ** 2 - self.temperature
        self._velocity[link] += excess / self._mass[link] * dt / 4

    @property
    def energy(self) -> np.ndarray:
        """Energy of each chain [n_replicas]."""
        weight = np.ones(CHAIN_LENGTH)
        weight[0] = self.degrees_of_freedom
        return self._masses() / 2 @ self._velocity**2 + self.temperature * weight @ self._position

    def state(self) -> dict[str, np.ndarray]:
        return {"chain_velocity": self._velocity.copy(), "chain_position": self._position.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self._velocity = np.array(state["chain_velocity"], dtype=np.float64)
        self._position = np.array(state["chain_position"], dtype=np.float64)
