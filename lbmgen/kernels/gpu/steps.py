"""The steps of blocks with one law, on a GPU: what `lbmgen.block` calls, whatever the machine.

Blocks without neighbours take their steps together: from the cache where it holds a block or more (`in_cache`), else in
two or three launches for a step of all of them, two steps as a graph. Those with neighbours go one by one (`cut`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lbmgen.collisions import Collision
from lbmgen.kernels import Grid, Part, Statistics
from lbmgen.kernels.gpu.cut import Cut
from lbmgen.kernels.gpu.in_cache import InCache, n_together
from lbmgen.kernels.gpu.launches import THREADS, Launches, Now
from lbmgen.kernels.gpu.part import Batch, Placed
from lbmgen.kernels.gpu.text import source
from lbmgen.lattices import Lattice
from runkit.arrays import F64, I64, Floats
from runkit.device import Gpu
from runkit.mpi import World


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Parts lie where the kernels run."""

    def __init__(self, gpu: Gpu, lattice: Lattice, law: Collision, forced: bool, dtype: str) -> None:
        self.gpu = gpu
        self.launches = Launches(gpu, source(lattice, law, forced, dtype))
        self._side_by_side: SideBySide | None = None  # those without neighbours that have taken steps together last
        self._cut: dict[Placed, Cut] = {}

    def rows_together(self, layout: Grid) -> int:
        """No two steps in one pass: launches have no order of rows."""
        return 0

    def place(self, part: Part, group: World) -> Placed:
        """The part, where kernels can reach it; its neighbours are among the ranks of `group`."""
        return Placed(self.gpu, part, group)

    def free(self, part: Placed) -> None:
        """The part takes no more steps."""
        if self._side_by_side is not None and part in self._side_by_side.batch.parts:
            self._side_by_side = None
        self._cut.pop(part, None)
        for mail in part.mail:
            mail.messages.free()

    def populations(self, part: Placed) -> Floats:
        """Its populations, for reading or, followed by `restore`, for writing."""
        h: Floats = self.gpu.to_host(part.h)
        return h

    def restore(self, part: Placed, h: Floats, state: int) -> None:
        """Set populations and what open faces remember; they lie as after a step of parity `state`."""
        self.gpu.to_device(h, part.h)
        self.launches("gather", part.n_open, 1, part.h, part.target[state], part.memory, np.uint32(part.n_open))

    def advance(self, parts: Sequence[Placed], parity: int, scales: F64) -> I64:
        """Steps of parts, the first of `parity`; `scales` [n_parts, n_steps] scale moving walls.

        Returns the impulse on each body, int64 [n_parts, n_steps, n_bodies, d + 1] (see `lbmgen.forces`).
        """
        n_steps = scales.shape[1]
        if parts[0].mail:
            each = zip(parts, scales, strict=True)
            return np.concatenate([self._cut_for(part, n_steps).advance(parity, scale) for part, scale in each])
        if self._side_by_side is None or not self._side_by_side.batch.holds(parts, n_steps):
            self._side_by_side = SideBySide(self.launches, Batch(self.gpu, parts, n_steps))
        return self._side_by_side.advance(parity, scales)

    def _cut_for(self, part: Placed, n_steps: int) -> Cut:
        if part not in self._cut or not self._cut[part].holds(n_steps):
            self._cut[part] = Cut(self.launches, part, n_steps)
        return self._cut[part]

    def moments(self, part: Placed, state: int) -> tuple[F64, F64]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        from lbmgen.kernels.cpu.moments import moments  # Numba takes a second to import: only where this is asked for

        return moments(part.host, self.populations(part), state)

    def statistics(self, parts: Sequence[Placed], state: int, width: int | None) -> list[Statistics]:
        """Of each part: the largest speed, the largest |density - 1| and, if `width` is not None, means over cells of
        density - 1 and velocity."""
        xp, n, shape = self.gpu.xp, len(parts), parts[0].shape
        stored, width = width is not None, width or 1
        cells = tuple(extent // width for extent in shape)
        mean = xp.zeros((n, 1 + len(shape), *cells) if stored else 1)
        extreme = xp.zeros((n, 2), np.uint64)
        table = xp.asarray(np.concatenate([part.row for part in parts]))
        arrival = xp.asarray(np.array(parts[0].places[1 - state]))
        sizes = (int(np.prod(cells)), shape[1] if len(shape) == 3 else 1, shape[-1], width, int(stored))
        self.launches(
            "statistics", sizes[0], n, table, parts[0].row_start, arrival, *map(np.int32, sizes), mean, extreme
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
    """Rounds of the parts of a batch, which have no neighbours."""

    def __init__(self, launches: Launches, batch: Batch) -> None:
        self.batch, self.launches, gpu = batch, launches, batch.gpu
        n_resident = gpu.resident_blocks(launches.kernels["advance_cached"], THREADS)
        self._in_cache = InCache(launches, batch) if n_together(gpu, batch.parts, n_resident) else None
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
        _, items = now.batch.parts[0].steps[now.parity]
        self.launches.do(now, items)
