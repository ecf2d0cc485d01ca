"""Inherent structures: the energy minimum that FIRE 2.0 reaches from a configuration (see `kernels.fire`).

Different minimisers end in different minima: compare energies, not positions.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.initial import Configuration
from mdgen.kernels.fire import descend
from mdgen.list_capacity import first_capacity, replica_bytes
from mdgen.neighbors import spatial_order
from mdgen.potentials.pair import PairPotential
from runkit.arrays import F64, Array
from runkit.device import Gpu

TOLERANCE, MOST = 1e-6, 20000  # of a force component; iterations
SHARE = 2  # of the free memory of a GPU, one part at most: lists may grow


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended: position [n, 3], total energy, largest force component left, iterations done;
    `start_energy` is that of where it began."""

    position: F64
    energy: float
    largest_force: float
    n_iterations: int
    converged: bool
    start_energy: float = np.nan


def inherent_structure(start: Configuration, potential: PairPotential, device: Gpu | None = None) -> Minimum:
    """The minimum below `start`; positions are unwrapped with respect to it. Forces come from `device` (None: CPU)."""
    return inherent_structures([start], potential, device)[0]


def inherent_structures(
    starts: Sequence[Configuration], potential: PairPotential, device: Gpu | None = None
) -> list[Minimum]:
    """The minimum below each of `starts`, of equal size; on a GPU as many at once as it has memory for.

    Each has the same bits whatever the others are, on the CPU and on a GPU.
    """
    size = _most_at_once(starts, potential, device)
    groups = (starts[first : first + size] for first in range(0, len(starts), size))
    return [minimum for group in groups for minimum in _minima(group, potential, device)]


def _most_at_once(starts: Sequence[Configuration], potential: PairPotential, device: Gpu | None) -> int:
    """On the CPU one: unlike configurations do not share a list."""
    if device is None or not starts:
        return 1
    n_particles, volume = len(starts[0].position), min(start.box.prod() for start in starts)
    one = replica_bytes(n_particles, "float64", first_capacity(n_particles, volume, potential))
    return max(1, int(device.free_bytes / (SHARE * one)))


def _minima(starts: Sequence[Configuration], potential: PairPotential, device: Gpu | None) -> Iterator[Minimum]:
    """Minima of what is minimised together."""
    orders = [spatial_order(start.position, start.box) for start in starts]
    position = np.stack([start.position for start in starts])
    species, box = np.stack([start.species for start in starts]), np.stack([start.box for start in starts])
    given = (position, np.zeros_like(position), species, box, potential, 0.0, "float64")
    system = Dynamics(*given, order=np.stack(orders), device=device)
    before = system.potential_energy
    largest, n_iterations = system.minimize(TOLERANCE, MOST)
    found, energy = system.position, system.potential_energy
    for k in range(len(starts)):
        yield Minimum(
            found[k], float(energy[k]), float(largest[k]), int(n_iterations[k]), bool(largest[k] <= TOLERANCE),
            float(before[k]),
        )  # fmt: skip


def fire(
    force_at: Callable[[Array], Array],
    energy_at: Callable[[Array], float],
    position: F64,
    tolerance: float = TOLERANCE,
    max_iterations: int = MOST,
) -> Minimum:
    """Descend from `position` [n, 3] until no force component exceeds `tolerance`.

    `force_at` gives the force [n, 3] at a position, `energy_at` the total energy.
    """
    start = np.asarray(position, np.float64)

    def force_at_row(row: F64) -> F64:
        return np.asarray(force_at(row.reshape(start.shape))).reshape(1, -1)

    row, (largest, n_iterations) = descend(force_at_row, start.reshape(1, -1), tolerance, max_iterations)
    found = row.reshape(start.shape)
    return Minimum(
        found, energy_at(found), float(largest[0]), int(n_iterations[0]), bool(largest[0] <= tolerance),
        energy_at(start),
    )  # fmt: skip
