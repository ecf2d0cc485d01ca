"""Replicas at one moment; a GPU sends them while it computes further steps.

Units: those of the potential; mass 1, k_B = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from runkit.arrays import F64, I64, Array, Bools


class Seen(NamedTuple):
    """State of R replicas at one moment: position [R, n, 3] in the order of summation; potential energy and virial
    [R, 2]; kinetic energy [R]; which of them have blown up [R]."""

    position: F64
    energies: F64
    kinetic_energy: F64
    frozen: Bools


class Snapshot:
    """`arrive` waits for the state and gives it; `back` int [R, n] is the place of each particle in it.

    The next snapshot of the same replicas may reuse its memory: reading this one after that raises RuntimeError.
    All values are not a number for replicas that have blown up.
    """

    def __init__(self, arrive: Callable[[], Seen], back: I64) -> None:
        self._arrive, self._back = arrive, back

    @property
    def n_particles(self) -> int:
        return int(self._back.shape[1])

    @property
    def position(self) -> F64:
        """Unwrapped positions [R, n, 3]."""
        position = np.take_along_axis(self._seen.position, self._back[:, :, None], axis=1)
        position[self._seen.frozen] = np.nan
        return position

    @property
    def potential_energy(self) -> F64:
        """Potential energy [R]."""
        return self._where_sound(self._seen.energies[:, 0])

    @property
    def virial(self) -> F64:
        """Sum over pairs of r.F [R]."""
        return self._where_sound(self._seen.energies[:, 1])

    @property
    def kinetic_energy(self) -> F64:
        """Kinetic energy [R]."""
        return self._where_sound(self._seen.kinetic_energy)

    @property
    def energy_per_particle(self) -> F64:
        """Total energy per particle [R]."""
        total: F64 = self.potential_energy + self.kinetic_energy
        return total / self.n_particles

    def blown_up(self) -> I64:
        """Replicas that moved unphysically far in one step, or whose velocities are not finite: ascending indices."""
        return np.flatnonzero(~np.isfinite(self.kinetic_energy))

    @property
    def _seen(self) -> Seen:
        return self._arrive()

    def _where_sound(self, values: Array) -> F64:
        return np.where(self._seen.frozen, np.nan, values)
