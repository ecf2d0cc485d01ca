"""Nosé–Hoover chains, one chain per replica, integrated by Trotter splitting around a velocity-Verlet step.

Source: G. J. Martyna, M. E. Tuckerman, D. J. Tobias and M. L. Klein, Mol. Phys. 87, 1117 (1996),
doi:10.1080/00268979600100761 (the operator exp(iL_NHC dt/2), with Suzuki–Yoshida weights of order 4).
Units: Lennard-Jones (k_B = 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mdgen.thermostats import Values, thermostat
from runkit.arrays import F64, Array
from runkit.formula import Value

CHAIN_LENGTH = 3
_OUTER = 1 / (2 - 2 ** (1 / 3))
SUZUKI_YOSHIDA = (_OUTER, 1 - 2 * _OUTER, _OUTER)


@thermostat("nose-hoover")
class NoseHooverChain:
    """Deterministic thermostat; chains start with velocities drawn from their canonical distribution."""

    least_steps: ClassVar[int] = 10  # a chain that turns faster than the step can follow takes the kinetic energy away

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
        draws = np.array([stream.standard_normal(CHAIN_LENGTH) for stream in streams])
        velocity = (draws * np.sqrt(temperature / self._masses())).T
        self.value = np.concatenate([velocity, np.zeros_like(velocity)])

    def _masses(self) -> F64:
        """Masses of the links of a chain [CHAIN_LENGTH]; the first carries all degrees of freedom."""
        mass = np.full(CHAIN_LENGTH, self.temperature * self.relaxation_time**2)
        mass[0] *= self.degrees_of_freedom
        return mass

    def draw(self, n_steps: int) -> F64:
        """None: chains are deterministic [n_steps, 0, n_replicas]."""
        return np.empty((n_steps, 0, self.value.shape[1]))

    @property
    def constants(self) -> tuple[float, ...]:
        """Step, temperature, the target of twice the kinetic energy, and masses."""
        return self.dt, self.temperature, self.degrees_of_freedom * self.temperature, *self._masses().tolist()

    @staticmethod
    def before(
        kinetic: Value, value: Values, number: Values, constant: Sequence[Value]
    ) -> tuple[Value, Sequence[Value]]:
        """Half a step of the chains: the factor, velocities and positions of the links."""
        velocity, position = list(value[:CHAIN_LENGTH]), list(value[CHAIN_LENGTH:])
        factor = 1.0
        for weight in SUZUKI_YOSHIDA:
            step = weight * constant[0]
            factor = factor * _half_step(2.0 * kinetic * factor * factor, velocity, position, step, constant)
        return factor, (*velocity, *position)

    after = before

    @property
    def energy(self) -> F64:
        """Energy of each chain [n_replicas]."""
        weight = np.ones(CHAIN_LENGTH)
        weight[0] = self.degrees_of_freedom
        velocity, position = np.split(self.value, 2)
        energy: F64 = self._masses() / 2 @ velocity**2 + self.temperature * weight @ position
        return energy

    def state(self) -> dict[str, Array]:
        velocity, position = np.split(self.value, 2)
        return {"chain_velocity": velocity.T.copy(), "chain_position": position.T.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        parts = (np.array(state[name], dtype=np.float64).T for name in ("chain_velocity", "chain_position"))
        self.value = np.concatenate(list(parts))


def _half_step(
    twice_kinetic: Value, velocity: list[Value], position: list[Value], dt: Value, constant: Sequence[Value]
) -> Value:
    """exp(iL_NHC dt/2): the chain from its end to its head, the factor, and back."""
    for link in reversed(range(CHAIN_LENGTH)):
        _push(link, twice_kinetic, velocity, dt, constant)
    factor = _exponential(-0.5 * dt * velocity[0])
    for link in range(CHAIN_LENGTH):
        position[link] = position[link] + 0.5 * dt * velocity[link]
    for link in range(CHAIN_LENGTH):
        _push(link, twice_kinetic * factor * factor, velocity, dt, constant)
    return factor


def _push(link: int, twice_kinetic: Value, velocity: list[Value], dt: Value, constant: Sequence[Value]) -> None:
    """A quarter step of one link: pushed by the one before (the head: by the particles), dragged by the next."""
    _, temperature, target, *mass = constant
    if link == 0:
        excess = twice_kinetic - target
    else:
        excess = mass[link - 1] * velocity[link - 1] * velocity[link - 1] - temperature
    drag = _exponential(-0.125 * dt * velocity[link + 1]) if link + 1 < CHAIN_LENGTH else 1.0
    velocity[link] = (velocity[link] * drag + 0.25 * dt / mass[link] * excess) * drag


def _exponential(x: Value) -> Value:
    """exp(x) by a Padé approximant, to 1e-15 where |x| < 0.03 and reversible in time everywhere.

    exp itself is rounded differently by different machines.
    """
    square = x * x
    even, odd = 120.0 + 12.0 * square, x * (60.0 + square)
    return (even + odd) / (even - odd)
