"""The steps of blocks with one law, on a GPU: what `lbmgen.block` calls, whatever the machine.

Blocks without neighbours take their steps together: at most four launches for a step of all of them, and two steps are
recorded as a graph that is launched again and again. What lies between sending and receiving runs on a stream of its
own while messages travel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lbmgen.kernels import COPY, KEEP, OUTLETS, RECEIVE, SEND, SWEEP, WALLS
from lbmgen.kernels.gpu.part import FORK, JOIN, SWEEP_BESIDE, Batch, Placed
from lbmgen.kernels.gpu.text import source

THREADS = 256  # of a block; lbm.cu is compiled for no more
NAMES = ("sweep", "copy", "gather", "scatter", "walls", "keep", "outlets", "look")


class Now(NamedTuple):
    """A step: of whom, its parity, by how much it moves their clock on, and how much later than that clock it is."""

    batch: Batch
    parity: int
    tick: int
    later: int


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Parts lie where the kernels run."""

    def __init__(self, gpu, lattice, law, forced, dtype):
        self.gpu = gpu
        module = gpu.compile(source(lattice, law, forced, dtype))
        self._kernels = {name: module.get_function(name) for name in NAMES}
        self._batch = None
        self._side = gpu.stream()
        self._do = {
            SWEEP: self._sweep,
            COPY: self._copy,
            WALLS: self._walls,
            KEEP: self._keep,
            OUTLETS: self._outlets,
            SEND: self._pack,
            RECEIVE: self._exchange,
            FORK: self._fork,
            SWEEP_BESIDE: self._sweep_beside,
            JOIN: self._join,
        }

    def rows_together(self, layout):
        """No two steps in one pass: launches have no order of rows."""
        return 0

    def place(self, part, group):
        """The part, where kernels can reach it; its neighbours are among the ranks of `group`."""
        return Placed(self.gpu, part, group)

    def free(self, part):
        """The part takes no more steps."""
        if self._batch is not None and part in self._batch.parts:
            self._batch = None
        for mail in part.mail:
            mail.messages.free()

    def populations(self, part):
        """Its populations, for reading or, followed by `restore`, for writing."""
        return self.gpu.to_host(part.h)

    def restore(self, part, h, state):
        """Set populations and what open faces remember; they lie as after a step of parity `state`."""
        self.gpu.to_device(h, part.h)
        self._launch("gather", part.n_open, 1, part.h, part.target[state], part.memory, np.uint32(part.n_open))

    def march(self, parts, parity, clocks):
        """Steps of parts, the first of `parity`; `clocks` [n_parts, n_steps] scale moving walls.

        Returns what bodies have taken, int64 [n_parts, n_steps, n_bodies, d + 1] (see `lbmgen.forces`).
        """
        if parts[0].mail:
            each = zip(parts, clocks, strict=True)
            return np.concatenate([self._march_one_by_one(part, parity, clock) for part, clock in each])
        n_pairs, rest = divmod(clocks.shape[1], 2)
        if self._batch is None or not self._batch.holds(parts, clocks.shape[1]):
            self._batch = Batch(self.gpu, parts, clocks.shape[1])
        batch = self._batch
        batch.begin(clocks, -2)
        if n_pairs and parity not in batch.pairs:
            self._pair(batch, parity)  # kernels are loaded at their first launch, which must not be recorded
            batch.pairs[parity] = self.gpu.graph(lambda: self._pair(batch, parity))
            n_pairs -= 1
        for _ in range(n_pairs):
            batch.pairs[parity]()
        if rest:
            self._step(Now(batch, parity, tick=0, later=2))
        return self.gpu.to_host(batch.tally)

    def _march_one_by_one(self, part, parity, clock):
        """Steps of a part with neighbours: the host sends what it exchanges."""
        batch = Batch(self.gpu, [part], len(clock))
        batch.begin(clock[None], 0)
        for step in range(len(clock)):
            self._step(Now(batch, (parity + step) % 2, tick=0, later=step))
        return self.gpu.to_host(batch.tally)

    def moments(self, part, state):
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        from lbmgen.kernels.cpu.moments import moments  # Numba takes a second to import: only where this is asked for

        return moments(part.host, self.populations(part), state)

    def look(self, parts, state, width):
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
        self._launch("look", sizes[0], n, table, parts[0].row_start, arrival, *map(np.int32, sizes), mean, extreme)
        squares, deviations = self.gpu.to_host(extreme).view(np.float64).T
        extremes = list(zip(np.sqrt(squares), deviations, strict=True))
        if not stored:
            return [(*pair, None, None) for pair in extremes]
        means = self.gpu.to_host(mean)
        return [(*pair, seen[0], np.moveaxis(seen[1:], 0, -1)) for pair, seen in zip(extremes, means, strict=True)]

    def _pair(self, batch, parity):
        """Two steps; the clock of the batch goes on by two."""
        self._step(Now(batch, parity, tick=2, later=0))
        self._step(Now(batch, 1 - parity, tick=0, later=1))

    def _step(self, now):
        for operation, what in now.batch.parts[0].items[now.parity]:
            self._do[operation](now, what)

    def _sweep(self, now, runs):
        part = now.batch.parts[0]
        how = now.batch.step, np.int32(now.tick), *map(np.int64, part.places[now.parity])
        for start, n_runs, length in runs:
            size = np.uint32(n_runs), np.uint32(length)
            self._launch("sweep", n_runs * length, len(now.batch.parts), now.batch.table, start, *size, *how)

    def _copy(self, now, tables):
        source, target = tables
        n = len(source)
        self._launch("copy", n, len(now.batch.parts), now.batch.table, source, target, np.uint32(n))

    def _walls(self, now, _):
        batch, state = now.batch, np.int32(now.parity)
        record = batch.clock, batch.tally, batch.step, *map(np.int32, (now.later, batch.n_steps, batch.n_bodies))
        self._launch("walls", batch.n_links, len(batch.parts), batch.table, state, *record)

    def _keep(self, now, _):
        batch = now.batch
        self._launch("keep", batch.n_kept, len(batch.parts), batch.table, np.int32(now.parity))

    def _outlets(self, now, _):
        batch = now.batch
        self._launch("outlets", batch.n_sites, len(batch.parts), batch.table, np.int32(now.parity))

    def _fork(self, now, _):
        """What goes beside starts after what has been asked for so far."""
        self.gpu.order(None, self._side)

    def _join(self, now, _):
        """What is asked for from here on comes after what went beside."""
        self.gpu.order(self._side, None)

    def _sweep_beside(self, now, runs):
        with self._side:
            self._sweep(now, runs)

    def _pack(self, now, mail):
        """Into what MPI sees. The host does not wait: first it asks for what goes beside."""
        n = len(mail.out)
        self._launch("gather", n, 1, now.batch.parts[0].h, mail.read, mail.out, np.uint32(n))
        if mail.is_staged:
            self.gpu.to_host(mail.out, mail.sent)

    def _exchange(self, now, mail):
        """Send when all is packed, wait, unpack."""
        self.gpu.wait()
        mail.messages.start()
        mail.messages.wait()
        if mail.is_staged:
            self.gpu.to_device(mail.received, mail.back)
        n = len(mail.back)
        self._launch("scatter", n, 1, now.batch.parts[0].h, mail.written, mail.back, np.uint32(n))

    def _launch(self, name, n_threads, n_cases, *arguments):
        """Nothing, if there is nothing to do."""
        if n_threads:
            self._kernels[name]((-(-n_threads // THREADS), n_cases), (THREADS,), arguments)
