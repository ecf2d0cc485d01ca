"""The back end for the CPU: steps of blocks with one law."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np

from lbmgen.averages import averaged
from lbmgen.collisions import Collision
from lbmgen.kernels import BlockData, Grid, Statistics
from lbmgen.kernels.cpu.advance import StepTables, make_advance
from lbmgen.kernels.cpu.exchange import exchange_buffers
from lbmgen.kernels.cpu.moments import moments
from lbmgen.lattices import Lattice
from runkit.arrays import F64, I64, Floats
from runkit.mpi import Messages, World

CACHE_BYTES = 1 << 21  # of a block, beyond which it pays to go through it once for two steps
BAND_BYTES = 1 << 17  # of rows that do so together: several times as much should stay in the cache of a core


class LoadedBlock(NamedTuple):
    """The data of a block, the tables that compiled code takes, and the messages of its exchanges."""

    data: BlockData
    tables: StepTables
    messages: list[Messages]


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Blocks lie where the kernels run."""

    def __init__(self, lattice: Lattice, law: Collision, forced: bool) -> None:
        self._advance = make_advance(lattice, law, forced)

    def rows_together(self, layout: Grid) -> int:
        """Rows of a band, where two steps in one pass are faster, else 0."""
        row = layout.lattice.q * layout.strides[0] * layout.dtype.itemsize
        return max(1, BAND_BYTES // row) if row * layout.shape[0] > CACHE_BYTES else 0

    def load(self, data: BlockData, group: World) -> LoadedBlock:
        """Bring a block to where kernels reach it; its neighbours are among the ranks of `group`."""
        buffers, messages = exchange_buffers(data.exchanges, data.h.dtype, group)
        return LoadedBlock(data, StepTables.of(data, buffers), messages)

    def free(self, block: LoadedBlock) -> None:
        """The block takes no more steps."""
        block.tables.buffers.native.give_back(block.messages)
        for each in block.messages:
            each.free()

    def populations(self, block: LoadedBlock) -> Floats:
        """Its populations, for reading or, followed by `restore`, for writing."""
        return block.data.h

    def restore(self, block: LoadedBlock, h: Floats, state: int) -> None:
        """Set populations and the memory of open faces; they lie as after a step of parity `state`."""
        outlets = block.data.outlets
        outlets.memory[:] = h[outlets.target[state]]

    def advance(self, blocks: Sequence[LoadedBlock], parity: int, scales: F64) -> I64:
        """Steps of alike blocks, the first of `parity`; `scales` [n_blocks, n_steps] multiply the velocities of walls.

        Returns the impulse on each body, int64 [n_blocks, n_steps, n_bodies, d + 1] (see `lbmgen.forces`).
        """
        first = blocks[0].data
        impulse = np.zeros((*scales.shape, first.n_bodies, first.c.shape[1] + 1), np.int64)
        for block, scale, taken in zip(blocks, scales, impulse, strict=True):
            self._advance(block.data.h, block.tables, parity, scale, taken)
        return impulse

    def moments(self, block: LoadedBlock, state: int) -> tuple[F64, F64]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        return moments(block.data, block.data.h, state)

    def statistics(self, blocks: Sequence[LoadedBlock], state: int, width: int | None) -> list[Statistics]:
        """Of each block: the largest speed, the largest |density - 1| and, if `width` is not None, means over cells of
        density - 1 and velocity."""
        return [_statistics(*self.moments(block, state), width) for block in blocks]


def _statistics(density: F64, velocity: F64, width: int | None) -> Statistics:
    d = density.ndim
    fastest = np.sqrt(reduce(add, (velocity[..., axis] ** 2 for axis in range(d))).max())
    deviation = np.abs(density - 1.0).max()
    if width is None:
        return Statistics(fastest, deviation, None, None)
    return Statistics(fastest, deviation, averaged(density - 1.0, width, d), averaged(velocity, width, d))
