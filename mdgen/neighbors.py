"""Neighbour list of a bundle of replicas: an outer list from cells, and from it the inner list that forces use.

Before every evaluation of the forces, the two largest displacements in any one replica since a list was made decide
whether it still holds every pair that can be in range; so no pair is ever missed, and how often lists are made changes
speed and never a result.

Source: L. Verlet, Phys. Rev. 159, 98 (1967), doi:10.1103/PhysRev.159.98; dual lists: S. Páll et al., J. Chem. Phys.
153, 134110 (2020), doi:10.1063/5.0018516.
Units: lengths in the units of the box.
"""

import numpy as np

INNER_SKIN = 0.25
OUTER_SKIN = 0.7
ROUNDING = 1e-5  # of single precision distances, in lengths of order one


class NeighborList:
    """Rows of neighbours of one bundle; `replicas` says that its lanes are replicas and not particles.

    `rows`, `slots`, `kinds` int32 [n_rows * LANES] say what the lanes of a row are (see `kernels.cpu.rows`), `start`
    int64 [n_rows + 1] and `entry` int32 hold the inner list. `n_builds`, `n_prunes` and `dangerous_builds` count.
    """

    def __init__(self, kernels, species, cutoff, box, replicas):
        self.kernels, self.species, self.replicas = kernels, species, replicas
        self.cutoff, self.box = cutoff, box
        self.scale = (box / 2.0**32).astype(np.float32)
        self.shape, self.reach = _cells(box, cutoff.max() + OUTER_SKIN, 4 * len(species))
        self.n_builds = self.n_prunes = self.dangerous_builds = 0
        self.outer = np.empty(64 * len(species), np.int32)
        self.built_at = self.pruned_at = None
        if replicas:
            self._set_rows(np.repeat(np.arange(len(species), dtype=np.int32), kernels.LANES))

    @property
    def length(self) -> int:
        """Entries of the inner list."""
        return int(self.start[-1])

    def covers(self, coordinate) -> bool:
        """Whether the inner list holds every pair that can be in range at these coordinates."""
        return self.pruned_at is not None and self._moved(coordinate, self.pruned_at) <= INNER_SKIN - ROUNDING

    def refresh(self, coordinate) -> None:
        """Make the inner list for these coordinates."""
        spare = OUTER_SKIN - INNER_SKIN - ROUNDING
        if self.built_at is None or self._moved(coordinate, self.built_at) > spare:
            self._build(coordinate)
        self.kernels.prune(self.replicas, coordinate, self.rows, self.slots, self.kinds, self.species,
                           self._limit(INNER_SKIN), self.scale, self.outer_start, self.outer, self.start, self.entry)
        self.pruned_at = coordinate.copy()
        self.n_prunes += 1
        self.dangerous_builds += self._moved(coordinate, self.built_at) > spare

    def forget(self) -> None:
        """Drop both lists."""
        self.built_at = self.pruned_at = None

    def _moved(self, coordinate, reference) -> float:
        return self.kernels.farthest(self.replicas, coordinate, reference, self.scale)

    def _limit(self, skin) -> np.ndarray:
        return ((self.cutoff + skin) ** 2).astype(np.float32).ravel()

    def _build(self, coordinate) -> None:
        if not self.replicas:
            self._set_rows(_clusters(coordinate, len(self.species), self.box, self.kernels.LANES))
        n_copies = self.kernels.LANES if self.replicas else 1
        while self.kernels.build(self.replicas, n_copies, coordinate, self.rows, self.slots, self.kinds, self.species,
                                 self._limit(OUTER_SKIN), self.scale, self.shape, self.reach, self.outer_start,
                                 self.outer) < 0:
            self.outer = np.empty(2 * len(self.outer), np.int32)
        self.entry = np.empty(len(self.outer), np.int32)
        self.built_at = coordinate.copy()
        self.n_builds += 1

    def _set_rows(self, rows) -> None:
        lanes = self.kernels.LANES
        self.rows = rows
        if self.replicas:
            self.slots = rows * (3 * lanes) + np.tile(np.arange(lanes, dtype=np.int32), len(rows) // lanes)
        else:
            self.slots = rows // lanes * (3 * lanes) + rows % lanes
        self.kinds = self.species[rows]
        self.start, self.outer_start = np.zeros((2, len(rows) // lanes + 1), np.int64)


def spatial_order(position, box, per_cell: float = 8.0) -> np.ndarray:
    """An order int [n] in which neighbours in space are neighbours in memory, of positions [n, 3] in a periodic box."""
    position, box = np.asarray(position, np.float64), np.asarray(box, np.float64)
    edge = (per_cell * np.prod(box) / len(position)) ** (1 / 3)
    n_cells = np.maximum(1, np.rint(box / edge)).astype(np.int64)
    fraction = position / box
    fraction -= np.floor(fraction)
    cell = np.minimum((fraction * n_cells).astype(np.int64), n_cells - 1)
    y = np.where(cell[:, 0] % 2, n_cells[1] - 1 - cell[:, 1], cell[:, 1])
    column = cell[:, 0] * n_cells[1] + y
    z = np.where(column % 2, 1 - fraction[:, 2], fraction[:, 2])
    return np.lexsort((z, column))


def _clusters(coordinate, n, box, lanes) -> np.ndarray:
    """Particles in compact groups of `lanes`, the last one filled up by repetition: int32 [n_rows * lanes]."""
    blocks = coordinate.view(np.uint32).reshape(-1, 3, lanes)
    fraction = blocks.transpose(0, 2, 1).reshape(-1, 3)[:n] * 2.0**-32
    order = spatial_order(fraction * box, box, lanes)
    return np.concatenate([order, np.full(-n % lanes, order[-1])]).astype(np.int32)


def _cells(box, radius, most):
    """Cells per edge and how many cells a radius reaches, int64 [3] each; about `most` cells at most."""
    edge = max(radius / 2, (np.prod(box) / most) ** (1 / 3))
    shape = np.maximum(1, np.floor(box / edge)).astype(np.int64)
    return shape, np.ceil(radius / (box / shape)).astype(np.int64)
