"""Neighbour list of a batch of replicas: an outer list from a tree of boxes, and the inner list that forces use.

Before every evaluation of the forces, the two largest displacements in any one replica since a list was made decide
whether it still holds every pair that can be in range; so no pair is ever missed, and how often lists are made changes
speed and never a result.

Source: L. Verlet, Phys. Rev. 159, 98 (1967), doi:10.1103/PhysRev.159.98; dual lists: S. Páll et al., J. Chem. Phys.
153, 134110 (2020), doi:10.1063/5.0018516.
Units: lengths in the units of the box.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import ArrayLike

from mdgen.kernels import Clusters, Kernels, Law, ListCheck, PairList
from runkit.arrays import F64, I32, I64, Ints

INNER_SKIN = 0.3
OUTER_SKIN = 1.3
RESORT = 8  # builds after which particles are sorted in space again
ROUNDING = 1e-5  # of distances in single precision


class NeighborList:
    """Neighbours of clusters; `replicas` says that the lanes are replicas and not particles.

    `species` int32 [n], `cutoff` [n_species, n_species], `box` [3]. `count` is where it counts `n_builds` of the outer
    list, `n_prunes` of the inner list, and `dangerous_builds`, of lists that came too late.
    """

    def __init__(
        self, kernels: Kernels, species: I32, cutoff: F64, box: F64, replicas: bool, count: Counter[str]
    ) -> None:
        self.kernels, self.replicas, self.count = kernels, replicas, count
        scale = (box / 2.0**32).astype(np.float32)
        self._box = box
        self._inner_law, self._outer_law = (
            Law(species, ((cutoff + skin) ** 2).astype(np.float32).ravel(), scale) for skin in (INNER_SKIN, OUTER_SKIN)
        )
        self._n_clusters = len(species) if replicas else -(-len(species) // kernels.LANES)
        self._n_builds = 0
        self._outer_check: ListCheck | None = None
        self.inner_check: ListCheck | None = None
        # A first guess for a dense liquid; twice as many entries whenever it is too low.
        self._allocate((256 if replicas else 96) * len(species))
        if replicas:
            self._set_clusters(np.repeat(np.arange(len(species)), kernels.LANES))

    @property
    def length(self) -> int:
        """Entries of the inner list."""
        return int(self.inner.start[-1])

    def is_valid(self, coordinate: I32) -> bool:
        """Whether the inner list holds every pair that can be in range at these coordinates."""
        return self.inner_check is not None and self._is_valid(self.inner_check, coordinate)

    def refresh(self, coordinate: I32) -> None:
        """Make the inner list for these coordinates."""
        built = self._outer_check
        if built is None or not self._is_valid(built, coordinate):
            built = self._build(coordinate)
        self.kernels.prune(self.replicas, coordinate, self._outer, self.clusters, self.inner, self._inner_law)
        self.inner_check = ListCheck(coordinate.copy(), self._inner_law.scale, INNER_SKIN - ROUNDING)
        self.count["n_prunes"] += 1
        self.count["dangerous_builds"] += not self._is_valid(built, coordinate)

    def _is_valid(self, check: ListCheck, coordinate: I32) -> bool:
        return self.kernels.largest_approach(self.replicas, coordinate, check) <= check.skin

    def _build(self, coordinate: I32) -> ListCheck:
        if self._n_builds % RESORT == 0:
            self._sort(coordinate)
        given = self.replicas, coordinate, self._ranked, self.clusters
        while self.kernels.build(*given, self._outer, self._outer_law) < 0:
            self._allocate(2 * len(self._outer.entry))
        self._outer_check = ListCheck(coordinate.copy(), self._outer_law.scale, OUTER_SKIN - INNER_SKIN - ROUNDING)
        self._n_builds += 1
        self.count["n_builds"] += 1
        return self._outer_check

    def _sort(self, coordinate: I32) -> None:
        """Rank the particles in space, and with it form clusters where particles are the lanes."""
        lanes, n = self.kernels.LANES, len(self._inner_law.species)
        blocks = coordinate.view(np.uint32).reshape(-1, 3, lanes)
        place = blocks[:, :, 0] if self.replicas else blocks.transpose(0, 2, 1).reshape(-1, 3)[:n]
        self._ranked = spatial_order(place * (self._box * 2.0**-32), self._box, lanes).astype(np.int32)
        if not self.replicas:
            self._set_clusters(np.append(self._ranked, np.repeat(self._ranked[-1], -n % lanes)))

    def _set_clusters(self, particle: Ints) -> None:
        """Clusters of these particles [n_clusters * LANES]."""
        lanes = self.kernels.LANES
        each_lane = np.tile(np.arange(lanes), len(particle) // lanes)
        block, lane = (particle, each_lane) if self.replicas else (particle // lanes, particle % lanes)
        kind = self._inner_law.species[particle]
        self.clusters = Clusters(particle.astype(np.int32), (3 * lanes * block + lane).astype(np.int32), kind)

    def _allocate(self, n_entries: int) -> None:
        self.inner, self._outer = (
            PairList(np.zeros(self._n_clusters + 1, np.int64), np.empty(n_entries, np.int32)) for _ in range(2)
        )


def spatial_order(position: ArrayLike, box: ArrayLike, group: int = 8) -> I64:
    """An order int [n] of positions [n, 3] in a periodic box in which groups of consecutive ones are compact."""
    places, edges = np.asarray(position, np.float64), np.asarray(box, np.float64)
    edge = (group * np.prod(edges) / len(places)) ** (1 / 3)
    n_cells = np.maximum(1, np.rint(edges / edge)).astype(np.int64)
    fraction = places / edges
    fraction -= np.floor(fraction)
    cell = np.minimum((fraction * n_cells).astype(np.int64), n_cells - 1)
    y = np.where(cell[:, 0] % 2, n_cells[1] - 1 - cell[:, 1], cell[:, 1])
    column = cell[:, 0] * n_cells[1] + y
    z = np.where(column % 2, 1 - fraction[:, 2], fraction[:, 2])
    return np.lexsort((z, column))
