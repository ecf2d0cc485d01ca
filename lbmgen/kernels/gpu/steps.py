"""The steps of blocks with one law, on a GPU: what `lbmgen.block` calls, whatever the machine.

Blocks without neighbours take their steps together: at most four launches for a step of all of them, and two steps are
recorded as a graph that is launched again and again.
"""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from lbmgen.kernels.gpu.part import Batch, Placed, runs_of
from lbmgen.kernels.gpu.text import source

THREADS = 256  # of a block; lbm.cu is compiled for no more
NAMES = ("sweep", "copy", "gather", "scatter", "walls", "outlets", "look")


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Parts and buffers lie where the kernels run."""

    def __init__(self, gpu, lattice, law, forced, dtype):
        self.gpu = gpu
        module = gpu.compile(source(lattice, law, forced, dtype))
        self._kernels = {name: module.get_function(name) for name in NAMES}
        self._batch = None
        self._side = gpu.stream()

    def place(self, part):
        """The part, where kernels can reach it."""
        return Placed(self.gpu, part)

    def free(self, part):
        """The part takes no more steps."""
        if self._batch is not None and part in self._batch.parts:
            self._batch = None

    def populations(self, part):
        """Its populations, for reading or, followed by `restore`, for writing."""
        return self.gpu.to_host(part.h)

    def restore(self, part, h, state):
        """Set populations and what open faces remember; they lie as after a step of parity `state`."""
        self.gpu.to_device(h, part.h)
        self._launch("gather", part.n_open, 1, part.h, part.target[state], part.memory, np.uint32(part.n_open))

    def march(self, parts, parity, clocks):
        """Steps of parts without neighbours, the first of `parity`; `clocks` [n_parts, n_steps] scale moving walls.

        Returns what bodies have taken, int64 [n_parts, n_steps, d], in quanta of 2**-48.
        """
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
            self._step(batch, parity, tick=0, later=2)
        return self.gpu.to_host(batch.tally)

    def record(self, part, clock):
        """For steps one by one: their clocks, and what bodies take in them."""
        batch = Batch(self.gpu, [part], len(clock))
        batch.begin(clock[None], 0)
        return batch

    def taken(self, record):
        """What bodies have taken, int64 [n_steps, d]."""
        return self.gpu.to_host(record.tally)[0]

    def sweep(self, part, region, parity):
        """Collide and stream the sites of `region`, which is what `region` of this class has returned."""
        self._sweep(part, part.table, 1, region, parity, part.no_step, 0)

    def region(self, region):
        """A region, where kernels can reach it."""
        return runs_of(self.gpu, region)

    def offsets(self, offsets):
        """A table of offsets, where kernels can reach it."""
        return self.gpu.xp.asarray(offsets)

    def buffer(self, part, n, direct):
        """Room for `n` populations on their way: where kernels reach it, and where MPI does, `direct` or not."""
        array = self.gpu.xp.empty(n, part.h.dtype)
        return array, array if direct else self.gpu.pinned(n, part.h.dtype)

    def pack(self, part, offsets, buffer):
        """buffer = h[offsets]; not before `wait`."""
        array, message = buffer
        self._launch("gather", len(array), 1, part.h, offsets, array, np.uint32(len(array)))
        if message is not array:
            self.gpu.to_host(array, message)

    def unpack(self, part, offsets, buffer):
        """h[offsets] = buffer."""
        array, message = buffer
        if message is not array:
            self.gpu.to_device(message, array)
        self._launch("scatter", len(array), 1, part.h, offsets, array, np.uint32(len(array)))

    def wait(self):
        """Until buffers are packed."""
        self.gpu.wait()

    @contextmanager
    def beside(self):
        """Within it, what is asked for may run beside what is asked for outside from here on."""
        self.gpu.order(None, self._side)
        with self._side:
            yield

    def join(self):
        """What is asked for from here on comes after what was asked for beside."""
        self.gpu.order(self._side, None)

    def copy(self, part, source, target):
        """h[target] = h[source]."""
        self._copy(part.table, 1, source, target)

    def boundaries(self, part, parity, record, step):
        """What comes back from walls and open faces after step number `step` of the record."""
        self._boundaries(record, parity, step)

    def moments(self, part, state):
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        from lbmgen.kernels.cpu.moments import moments  # Numba takes a second to import: only where this is asked for

        return moments(part.host, self.populations(part), state)

    def look(self, parts, state, width):
        """Of each part: the largest speed and, if `width` is not None, means over cells of density - 1 and velocity."""
        xp, n, shape = self.gpu.xp, len(parts), parts[0].shape
        stored, width = width is not None, width or 1
        cells = tuple(extent // width for extent in shape)
        mean = xp.zeros((n, 1 + len(shape), *cells) if stored else 1)
        fastest = xp.zeros(n, np.uint64)
        table = xp.asarray(np.concatenate([part.row for part in parts]))
        arrival = xp.asarray(np.array(parts[0].places[1 - state]))
        sizes = (int(np.prod(cells)), shape[1] if len(shape) == 3 else 1, shape[-1], width, int(stored))
        self._launch("look", sizes[0], n, table, parts[0].row_start, arrival, *map(np.int32, sizes), mean, fastest)
        speeds = np.sqrt(self.gpu.to_host(fastest).view(np.float64))
        if not stored:
            return [(speed, None, None) for speed in speeds]
        means = self.gpu.to_host(mean)
        return [(speed, seen[0], np.moveaxis(seen[1:], 0, -1)) for speed, seen in zip(speeds, means, strict=True)]

    def _pair(self, batch, parity):
        """Two steps; the clock of the batch goes on by two."""
        self._step(batch, parity, tick=2, later=0)
        self._step(batch, 1 - parity, tick=0, later=1)

    def _step(self, batch, parity, tick, later):
        n, first = len(batch.parts), batch.parts[0]
        self._sweep(first, batch.table, n, first.region, parity, batch.step, tick)
        self._copy(batch.table, n, *first.copies[parity])
        self._boundaries(batch, parity, later)

    def _sweep(self, part, table, n, runs, parity, step, tick):
        places = map(np.int64, part.places[parity])
        how = step, np.int32(tick), *places
        for start, n_runs, length in runs:
            self._launch("sweep", n_runs * length, n, table, start, np.uint32(n_runs), np.uint32(length), *how)

    def _copy(self, table, n, source, target):
        self._launch("copy", len(source), n, table, source, target, np.uint32(len(source)))

    def _boundaries(self, batch, parity, later):
        n, state = len(batch.parts), np.int32(parity)
        record = batch.clock, batch.tally, batch.step, np.int32(later), np.int32(batch.n_steps)
        self._launch("walls", batch.n_links, n, batch.table, state, *record)
        self._launch("outlets", batch.n_sites, n, batch.table, state)

    def _launch(self, name, n_threads, n_cases, *arguments):
        """Nothing, if there is nothing to do."""
        if n_threads:
            self._kernels[name]((-(-n_threads // THREADS), n_cases), (THREADS,), arguments)
