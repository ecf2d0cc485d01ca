"""Velocity Verlet over batches of replicas, with or without a thermostat.

Source: W. C. Swope et al., J. Chem. Phys. 76, 637 (1982), doi:10.1063/1.442716.
Units: mass 1, time in units of the potential.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mdgen.thermostats import Formula, Thermostat
from runkit.arrays import F64, I64


class Moving(Protocol):
    """Replicas number `index` that are advanced together."""

    index: I64

    def integrate(self, n_steps: int, n_kicks: int, dt: float) -> int:
        """As many of the steps as lists hold for, the first with `n_kicks` half kicks (see `mdgen.kernels.Kernels`)."""

    def evaluate(self, dt: float = 0.0) -> None:
        """Forces at the present positions, which a step of length `dt` has led to."""

    def kick(self, dt: float) -> None:
        """Half a step of the velocities."""

    def kinetic_energy(self) -> F64:
        """That of each replica."""

    def rescale(self, factor: F64) -> None:
        """Multiply the velocities of each replica by its factor."""


def advance(batch: Moving, n_steps: int, dt: float) -> None:
    """`n_steps` steps (NVE) of a batch whose forces are those of its positions.

    The two half kicks that meet between steps are done in one pass over memory but rounded one by one, so that n steps
    at once and n times one step give the same bits.
    """
    left, n_kicks = n_steps, 1
    while left:
        left -= batch.integrate(left, n_kicks, dt)
        n_kicks = 2
        if left:  # stopped after a drift, for a new list
            batch.evaluate(dt)
            left -= 1
    if n_steps:
        batch.kick(dt)


def advance_coupled(batches: Sequence[Moving], n_steps: int, dt: float, thermostat: Thermostat) -> None:
    """`n_steps` steps of all batches, before and after each of which the thermostat rescales the velocities."""
    for number in thermostat.draw(n_steps):
        _rescale(batches, thermostat, thermostat.before, number)
        for batch in batches:
            advance(batch, 1, dt)
        _rescale(batches, thermostat, thermostat.after, number)


def _rescale(batches: Sequence[Moving], thermostat: Thermostat, formula: Formula | None, number: F64) -> None:
    if formula is None:
        return
    index = np.concatenate([batch.index for batch in batches])
    energy = np.empty(len(index))
    energy[index] = np.concatenate([batch.kinetic_energy() for batch in batches])
    factor, value = formula(energy, thermostat.value, number, thermostat.constants)
    thermostat.value = np.array(value).reshape(thermostat.value.shape)
    for batch in batches:
        batch.rescale(factor[batch.index])
