"""Compute kernels: a package for each kind of machine, and the arguments of the functions for the CPU.

The state of a batch of replicas is flat blocks [n_blocks, 3, LANES]: with replicas as lanes a block is one particle of
LANES replicas, with particles as lanes it is LANES particles of one replica. A place is int32 that counts 2**-32 of the
box, or float64 that counts boxes. A cluster is what one vector holds when forces are computed: one particle of all
replicas, or LANES particles that are close in space; a list has the neighbours of each cluster.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from runkit.arrays import F64, I32, I64, Array, Floats


class Clusters(NamedTuple):
    """The lanes of all clusters, int32 [n_clusters * LANES]: particle, offset of its x component, species."""

    particle: I32
    slot: I32
    kind: I32


class PairList(NamedTuple):
    """Neighbours of cluster c: particles `entry[start[c]:start[c + 1]]`, ascending; int64 [n_clusters + 1], int32."""

    start: I64
    entry: I32


class Law(NamedTuple):
    """Species int32 [n], a table [n_species, n_species, columns], flat, and the length of a unit of place [3]."""

    species: I32
    table: Floats
    scale: Floats


class ListCheck(NamedTuple):
    """What decides whether a list is still valid: int32 places where it was made, their unit of length float32 [3], and
    how much closer a pair may come."""

    reference: I32
    scale: Floats
    skin: float


class State(NamedTuple):
    """Blocks: position and velocity (float64), force, int32 places for lists, places for forces (these or float64)."""

    position: F64
    velocity: F64
    force: F64
    coordinate: I32
    place: Array


class Kernels(Protocol):
    """A module of functions for the CPU, which keep LANES values in each vector.

    With `replicas` the lanes are replicas, else particles. Arrays are flat, as above; those that a function fills are
    its last arguments unless noted. Forces are in the type of `force`, energies always float64.
    """

    @property
    def LANES(self) -> int: ...

    def locate(self, position: F64, unit: F64, place: Array, /) -> None:
        """Fill `place` (int32 or float64) with `position` in units that are 1 / `unit` [3] long."""

    def build(
        self, replicas: bool, coordinate: I32, ranked: I32, clusters: Clusters, pairs: PairList, law: Law, /
    ) -> int:
        """Fill `pairs` with all pairs within reach; `ranked` int32 [n] are the particles in an order in space.

        `law.table` holds squares of reaches. Returns the length of the list, or -1 if `pairs` cannot hold it.
        """

    def prune(
        self, replicas: bool, coordinate: I32, outer: PairList, clusters: Clusters, pairs: PairList, law: Law, /
    ) -> None:
        """Fill `pairs` with those of the pairs of `outer` that are within reach."""

    def largest_approach(self, replicas: bool, coordinate: I32, check: ListCheck, /) -> float:
        """How much closer a pair of one replica may have come since the list of `check` was made, at most."""

    def forces(
        self, replicas: bool, place: Array, force: Floats, clusters: Clusters, pairs: PairList, law: Law, /
    ) -> None:
        """Fill `force`, each a sum over the neighbours in their order."""

    def energies(
        self, replicas: bool, place: F64, energy: F64, virial: F64, clusters: Clusters, pairs: PairList, law: Law, /
    ) -> None:
        """Fill the x components of `energy` and `virial` with those of each particle's pairs with higher ones."""

    def kick(self, velocity: F64, force: Floats, step: F64, /) -> None:
        """Half a step of `velocity`; `step` [LANES]."""

    def integrate(
        self,
        replicas: bool,
        n_steps: int,
        n_kicks: int,
        state: State,
        step: F64,
        unit: F64,
        clusters: Clusters,
        pairs: PairList,
        law: Law,
        check: ListCheck | None,
        /,
    ) -> int:
        """Up to `n_steps` steps, without the half kick at their end; the first has `n_kicks` before its drift.

        Returns how many are done: if fewer, the next one has drifted to where the list may lack pairs.
        """

    def kinetic_energy(self, replicas: bool, velocity: F64, prerounding: float, energy: F64, /) -> None:
        """Fill `energy` [LANES] with the kinetic energy of each replica (see `prerounding`)."""


def prerounding(n_particles: int) -> float:
    """Adding and subtracting it rounds squares of velocities to multiples of a 2**-53rd of 64 n_particles or more.

    Sums of them over all particles are then exact in double precision, if their mean is less than 64.
    """
    return 1.5 * 2.0 ** (math.ceil(math.log2(n_particles)) + 5)
