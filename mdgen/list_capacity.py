"""Memory of replicas on a GPU: how many neighbours their lists can hold, and the bytes of all."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mdgen.kernels import gpu
from mdgen.potentials.pair import PairPotential
from mdgen.tuning import DEFAULT, Tuning

SPARE = 1.3  # capacity of lists, relative to a uniform liquid of the longest cutoff


class ListCapacity(NamedTuple):
    """Entries that the lists of a particle may have, multiples of four."""

    inner: int
    outer: int

    @classmethod
    def of(cls, wanted: float, other: float, n_particles: int) -> ListCapacity:
        """At least these many, rounded up, and never more than there are particles."""
        inner, outer = (4 * math.ceil(min(each, n_particles) / 4) for each in (wanted, other))
        return cls(inner, outer)


def first_capacity(n_particles: int, volume: float, potential: PairPotential, tuning: Tuning = DEFAULT) -> ListCapacity:
    """The capacity of lists before anything is known of them but the smallest volume of a box."""
    reach = (potential.largest_cutoff + skin for skin in (tuning.inner_skin, tuning.outer_skin))
    inner, outer = (SPARE * n_particles / volume * 4 / 3 * math.pi * each**3 + 16 for each in reach)
    return ListCapacity.of(inner, outer, n_particles)


def list_bytes(n_particles: int, capacity: ListCapacity) -> int:
    """Memory of the lists of a replica."""
    return n_particles * sum(capacity) * np.dtype(gpu.entry_type(n_particles)).itemsize


def replica_bytes(n_particles: int, precision: str, capacity: ListCapacity) -> int:
    """Memory of a replica on the device: motion and its copy, what is sent, forces, places, energies, cells,
    lists."""
    real, coord = np.dtype(precision).itemsize, np.dtype(gpu.COORD[precision]).itemsize
    own = n_particles * (2 * 48 + 24 + 3 * real + 12 * coord + 8 + 16) + 4 * gpu.cells_length(n_particles)
    return own + list_bytes(n_particles, capacity)
