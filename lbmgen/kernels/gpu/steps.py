"""The back end for a GPU: steps of blocks with one law.

Blocks without neighbours take their steps together: from the cache where it holds a block or more (`in_cache`), else in
two or three launches for a step of all of them, two steps as a graph. Those with neighbours go one by one (`cut`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lbmgen.collisions import Collision
from lbmgen.kernels import BlockData, Grid, Statistics
from lbmgen.kernels.gpu.block import Batch, LoadedBlock
from lbmgen.kernels.gpu.cut import Cut
from lbmgen.kernels.gpu.in_cache import InCache, n_together
from lbmgen.kernels.gpu.launches import THREADS, Launches, Now
from lbmgen.kernels.gpu.text import source
from lbmgen.lattices import Lattice
from runkit.arrays import F64, I64, Floats
from runkit.device import Gpu
from runkit.mpi import World


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Blocks lie where the kernels run."""

    def __init__(self, gpu: Gpu, lattice: Lattice, law: Collision, forced: bool, dtype: str) -> None:
        self.gpu = gpu
        self.launches = Launches(gpu, source(lattice, law, forced, dtype))
        self._side_by_side: SideBySide | None = None  # those without neighbours that have taken steps together last
        self._cut: dict[LoadedBlock, Cut] = {}

    def rows_together(self, layout: Grid) -> int:
        """No two steps in one pass: launches have no order of rows."""
        return 0

    def load(self, block: BlockData, group: World) -> LoadedBlock:
        """Bring a block to where kernels reach it; its neighbours are among the ranks of `group`."""
        return LoadedBlock(self.gpu, block, group)

    def free(self, block: LoadedBlock) -> None:
        """The block takes no more steps."""
        if self._side_by_side is not None and block in self._side_by_side.batch.blocks:
            self._side_by_side = None
        self._cut.pop(block, None)
        for buffers in block.buffers:
            buffers.messages.free()

    def populations(self, block: LoadedBlock) -> Floats:
        """Its populations, for reading or, followed by `restore`, for writing."""
        h: Floats = self.gpu.to_host(block.h)
        return h

    def restore(self, block: LoadedBlock, h: Floats, state: int) -> None:
        """Set populations and the memory of open faces; they lie as after a step of parity `state`."""
        self.gpu.to_device(h, block.h)
        self.launches("gather", block.n_open, 1, block.h, block.target[state], block.memory, np.uint32(block.n_open))

    def advance(self, blocks: Sequence[LoadedBlock], parity: int, scales: F64) -> I64:
        """Steps of alike blocks, the first of `parity`; `scales` [n_blocks, n_steps] multiply the velocities of walls.

        Returns the impulse on each body, int64 [n_blocks, n_steps, n_bodies, d + 1] (see `lbmgen.forces`).
        """
        n_steps = scales.shape[1]
        if blocks[0].buffers:
            each = zip(blocks, scales, strict=True)
            return np.concatenate([self._cut_for(block, n_steps).advance(parity, scale) for block, scale in each])
        if self._side_by_side is None or not self._side_by_side.batch.holds(blocks, n_steps):
            self._side_by_side = SideBySide(self.launches, Batch(self.gpu, blocks, n_steps))
        return self._side_by_side.advance(parity, scales)

    def _cut_for(self, block: LoadedBlock, n_steps: int) -> Cut:
        if block not in self._cut or not self._cut[block].holds(n_steps):
            self._cut[block] = Cut(self.launches, block, n_steps)
        return self._cut[block]

    def moments(self, block: LoadedBlock, state: int) -> tuple[F64, F64]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        from lbmgen.kernels.cpu.moments import moments  # Numba takes a second to import: only where it is needed

        return moments(block.host, self.populations(block), state)

    def statistics(self, blocks: Sequence[LoadedBlock], state: int, width: int | None) -> list[Statistics]:
        """Of each block: the largest speed, the largest |density - 1| and, if `width` is not None, means over cells of
        density - 1 and velocity."""
        xp, n, shape = self.gpu.xp, len(blocks), blocks[0].shape
        stored, width = width is not None, width or 1
        cells = tuple(extent // width for extent in shape)
        mean = xp.zeros((n, 1 + len(shape), *cells) if stored else 1)
        extreme = xp.zeros((n, 2), np.uint64)
        table = xp.asarray(np.concatenate([block.row for block in blocks]))
        arrival = xp.asarray(np.array(blocks[0].places[1 - state]))
        sizes = (int(np.prod(cells)), shape[1] if len(shape) == 3 else 1, shape[-1], width, int(stored))
        self.launches(
            "statistics", sizes[0], n, table, blocks[0].row_start, arrival, *map(np.int32, sizes), mean, extreme
        )
        squares, deviations = self.gpu.to_host(extreme).view(np.float64).T
        extremes = list(zip(np.sqrt(squares), deviations, strict=True))
        if not stored:
            return [Statistics(*pair, None, None) for pair in extremes]
        means = self.gpu.to_host(mean)
        return [
            Statistics(*pair, mean[0], np.moveaxis(mean[1:], 0, -1)) for pair, mean in zip(extremes, means, strict=True)
        ]


class SideBySide:
    """Rounds of the blocks of a batch, which have no neighbours."""

    def __init__(self, launches: Launches, batch: Batch) -> None:
        self.batch, self.launches, gpu = batch, launches, batch.gpu
        n_resident = gpu.resident_blocks(launches.kernels["advance_cached"], THREADS)
        self._in_cache = InCache(launches, batch) if n_together(gpu, batch.blocks, n_resident) else None
        self._pairs: dict[int, Callable[[], None]] = {}  # graphs of two steps, by the parity of the first

    @property
    def is_in_cache(self) -> bool:
        """Whether a round goes from the cache."""
        return self._in_cache is not None

    def advance(self, parity: int, scales: F64) -> I64:
        """The steps of a round, the first of `parity`; returns the impulse on bodies, as `Steps.advance` does."""
        self.batch.begin(scales, -2)
        if self._in_cache:
            self._in_cache.advance(parity)
        else:
            self._from_memory(parity, *divmod(scales.shape[1], 2))
        impulse: I64 = self.batch.gpu.to_host(self.batch.impulse)
        return impulse

    def _from_memory(self, parity: int, n_pairs: int, rest: int) -> None:
        if n_pairs and parity not in self._pairs:
            self._pairs[parity] = self.batch.gpu.graph(lambda: self.pair(parity))
        for _ in range(n_pairs):
            self._pairs[parity]()
        if rest:
            self._step(Now(self.batch, parity, tick=0, later=2))

    def pair(self, parity: int) -> None:
        """Two steps, from memory; the step counter of the batch goes on by two."""
        self._step(Now(self.batch, parity, tick=2, later=0))
        self._step(Now(self.batch, 1 - parity, tick=0, later=1))

    def _step(self, now: Now) -> None:
        _, items = now.batch.blocks[0].steps[now.parity]
        self.launches.do(now, items)
