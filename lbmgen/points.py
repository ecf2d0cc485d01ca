"""Points near bodies, at which a flow is stored in cells that are finer than those of the grid.

A cell of the grid is split into 2^d cells of half its width, and these again, down to single sites. Those go first that
are widest for their distance r from the nearest surface, by width / (r + width of a cell of the grid): so widths grow
in proportion to that sum, and how fine they are follows from how many points there is room for. Which cells are split
depends on the bodies alone, never on how a domain is cut.
Units: lattice units.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from lbmgen.averages import averaged, density_in_cells
from lbmgen.block import Block
from lbmgen.case import Case
from lbmgen.config import RunConfig
from runkit.arrays import F32, F64, I64, Array, Bools
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.mpi import World


def require_room(config: RunConfig) -> None:
    """Raise UserError if points are wanted that no cell can be split into."""
    n_points, width, parts = config.frames.points, config.grid.refinement, 2 ** len(config.grid.cells)
    if n_points and width % 2:
        fault = f"frames.points = {n_points}: cells of grid.refinement = {width} sites cannot be halved"
        raise UserError(f"{fault}; allowed: 0, or an even grid.refinement")
    if 0 < n_points < parts:
        raise UserError(f"frames.points = {n_points}: a cell is split into {parts}; allowed: 0, or at least {parts}")


@dataclass(frozen=True)
class Points:
    """Cells by their first sites [n, d], widths [n] in sites and signed distances of their centres [n]."""

    origin: I64
    width: I64
    distance: F64

    def __getitem__(self, which: Bools | I64) -> Points:
        return Points(self.origin[which], self.width[which], self.distance[which])

    @property
    def centre(self) -> F64:
        """Centres [n, d]."""
        found: F64 = self.origin + 0.5 * self.width[:, None]
        return found


def points_of(case: Case, refinement: int, room: int) -> Points:
    """At most `room` points, in the order of the cells of the grid that they lie in; none where there is no body."""
    d = len(case.shape)
    cells, urgency, parent = _tree(case, refinement, room // (2**d - 1))  # more cells cannot be split
    order = np.argsort(-urgency, kind="stable")  # of equal ones the wider first
    n_points = np.cumsum(np.where(parent[order] < 0, 2**d, 2**d - 1))
    chosen = order[(n_points <= room) & (urgency[order] > 0)]
    is_split = np.zeros(len(parent), bool)
    is_split[chosen] = True
    found = cells[(parent >= 0) & is_split[parent] & ~is_split]
    keys = [*np.moveaxis(found.origin % refinement, -1, 0), *np.moveaxis(found.origin // refinement, -1, 0)]
    return found[np.lexsort([*keys[d - 1 :: -1], *keys[: d - 1 : -1]])]


def _tree(case: Case, refinement: int, most: int) -> tuple[Points, F64, I64]:
    """The cells of the grid and, level by level, the parts of those `most` cells that are split first.

    Beside them their urgency [n], by which they are split, 0 for those that are not, and the number [n] of the cell
    that each is a part of, -1 for cells of the grid. No part is more urgent than the cell that it comes from.
    """
    d, width = len(case.shape), refinement
    axes = [np.arange(0, n, width) for n in case.shape]
    corners = np.array(list(itertools.product((0, 1), repeat=d)), np.int64)
    origin = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, d)[: None if case.bodies else 0]
    parent, bound, n_before = np.full(len(origin), -1), np.full(len(origin), np.inf), 0
    levels: list[tuple[Points, F64, I64]] = []
    while len(origin):
        distance, _ = case.nearest(np.asarray(origin + 0.5 * width, np.float64), float(max(case.shape)))
        can_split = (width % 2 == 0) & (distance > -0.5 * math.sqrt(d) * width)  # others hold nothing but solid
        urgency = np.where(can_split, np.minimum(width / (np.maximum(distance, 0.0) + refinement), bound), 0.0)
        levels.append((Points(origin, np.full(len(origin), width), distance), urgency, parent))
        first = np.argsort(-urgency, kind="stable")[:most]
        first = np.repeat(first[urgency[first] > 0], len(corners))
        width //= 2
        origin = origin[first] + width * np.tile(corners, (len(first) // len(corners), 1))
        parent, bound, n_before = n_before + first, urgency[first], n_before + len(urgency)
    if not levels:
        return Points(origin, np.zeros(0, np.int64), np.zeros(0)), np.zeros(0), np.zeros(0, np.int64)
    cells, urgencies, parents = zip(*levels, strict=True)
    joined = (np.concatenate([getattr(part, name) for part in cells]) for name in ("origin", "width", "distance"))
    return Points(*joined), np.concatenate(urgencies), np.concatenate(parents)


class StoredPoints:
    """The points of a case in its file, of which this rank's block has those in its cells; collective but for tables.

    What is stored is the same for any cut of the domain: every point lies in one block.
    """

    def __init__(self, config: RunConfig, case: Case, block: Block, group: World) -> None:
        self.room, self._block, self._group = config.frames.points, block, group
        self.points = points_of(case, config.grid.refinement, self.room)
        inner = self.points.origin - np.array(block.origin)
        self._is_mine: Bools = ((inner >= 0) & (inner < np.array(block.shape))).all(axis=1)
        self._sites = [self._sites_of(int(width), inner) for width in np.unique(self.points.width)]
        self._fraction = self._means((~block.solid).astype(np.float64))

    def sample(self) -> tuple[F32, ...]:
        """Density [room] and velocity [room, d] now, NaN where there is no point."""
        density, velocity = self._block.moments()
        mean = density_in_cells(self._means(density - 1.0), self._fraction), self._means(velocity)
        return self._filled(mean[0]), self._filled(mean[1])

    def write_constants(self, file: Writer, i_case: int) -> None:
        """Write what does not change in time; root alone."""
        points = self.points
        values = {
            "position": points.centre,
            "width": points.width,
            "signed_distance": points.distance,
            "fluid_fraction": self._fraction,
        }
        for name, value in values.items():
            file.write(f"points/{name}", (i_case,), self._filled(value))

    def write_frames(self, file: Writer, where: tuple[int, slice], density: F32, velocity: F32) -> None:
        """Write what was sampled at some frames of a case; root alone."""
        file.write("points/density", where, density)
        file.write("points/velocity", where, velocity)

    def _sites_of(self, width: int, inner: I64) -> tuple[Bools, I64]:
        """Which of the points are cells of this width in this block [n], and their sites [cell, width, …], counted on.

        `inner` [n, d] are the first sites of points in the block.
        """
        d, mine = len(self._block.shape), self._is_mine & (self.points.width == width)
        along = (inner[mine][:, axis].reshape(-1, *(1,) * d) + _axis(width, axis, d) for axis in range(d))
        return mine, np.ravel_multi_index(tuple(np.broadcast_arrays(*along)), self._block.shape).astype(np.int64)

    def _means(self, values: F64) -> F64:
        """Means [n, …] over the cells of all points, of values [*shape, …] at the sites of blocks."""
        d = len(self._block.shape)
        flat = values.reshape(-1, *values.shape[d:])
        found = np.zeros((len(self.points.width), *flat.shape[1:]))
        for mine, sites in self._sites:
            width = sites.shape[1]
            cells = flat[sites.reshape(-1, *sites.shape[2:])]  # one below the other
            found[mine] = averaged(cells, width, d).reshape(-1, *flat.shape[1:])
        total = self._group.sum(found)
        return total + 0.0  # no zero has a sign, for any number of ranks

    def _filled(self, values: Array) -> F32:
        found = np.full((self.room, *values.shape[1:]), np.nan, np.float32)
        found[: len(values)] = values
        return found


def _axis(width: int, axis: int, d: int) -> I64:
    """0, 1, … along one axis of [cell, width, …], of which each cell has d."""
    return np.arange(width).reshape(*(width if k == axis else 1 for k in range(d)))
