"""The kernels, and how each is launched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lbmgen.kernels import COPY, RECEIVE, SEND, SWEEP
from lbmgen.kernels.gpu.block import BOUNDARIES, Batch, ExchangeBuffers, Items, Runs
from runkit.device import DeviceArray, Gpu

THREADS = 256  # of a block; lbm.cu is compiled for no more
NAMES = ("sweep", "copy", "gather", "scatter", "boundaries", "advance_cached", "statistics")


class Now(NamedTuple):
    """A step: its blocks, its parity, the increment of their step counter, and how far ahead of it the step is."""

    batch: Batch
    parity: int
    tick: int = 0
    later: int = 0


class Launches:
    """What the items of a step launch, on the present stream."""

    def __init__(self, gpu: Gpu, text: str) -> None:
        self.gpu, module = gpu, gpu.compile(text)
        self.kernels = {name: module.get_function(name) for name in NAMES}
        self._do: dict[int, Callable[[Now, Any], None]] = {
            SWEEP: self.sweep,
            COPY: self._copy,
            BOUNDARIES: self._boundaries,
            SEND: self._pack,
            RECEIVE: self._unpack,
        }

    def do(self, now: Now, items: Items) -> None:
        """One item after the other."""
        for operation, what in items:
            self._do[operation](now, what)

    def sweep(self, now: Now, runs: Runs) -> None:
        """Collide and stream; the first launch moves the step counter on."""
        block, tick = now.batch.blocks[0], now.tick
        places = tuple(map(np.int64, block.places[now.parity]))
        for start, n_runs, length in runs:
            size = np.uint32(n_runs), np.uint32(length)
            how = *size, now.batch.step, np.int32(tick), *places
            self("sweep", n_runs * length, len(now.batch.blocks), now.batch.table, start, *how)
            tick = 0

    def _copy(self, now: Now, tables: Sequence[DeviceArray]) -> None:
        source, target = tables
        n = len(source)
        self("copy", n, len(now.batch.blocks), now.batch.table, source, target, np.uint32(n))

    def _boundaries(self, now: Now, _: None) -> None:
        batch = now.batch
        record = batch.scale, batch.impulse, batch.step, *map(np.int32, (now.later, batch.n_steps, batch.n_bodies))
        self("boundaries", batch.n_boundary, len(batch.blocks), batch.table, np.int32(now.parity), *record)

    def _pack(self, now: Now, buffers: ExchangeBuffers) -> None:
        """Copy what is sent into the buffers of MPI."""
        n = len(buffers.out)
        self("gather", n, 1, now.batch.blocks[0].h, buffers.read, buffers.out, np.uint32(n))
        if buffers.is_staged:
            self.gpu.to_host(buffers.out, buffers.sent)

    def _unpack(self, now: Now, buffers: ExchangeBuffers) -> None:
        """Copy what was received from the buffers of MPI."""
        if buffers.is_staged:
            self.gpu.to_device(buffers.received, buffers.back)
        n = len(buffers.back)
        self("scatter", n, 1, now.batch.blocks[0].h, buffers.written, buffers.back, np.uint32(n))

    def __call__(self, name: str, n_threads: int, n_cases: int, *arguments: Any) -> None:
        """Nothing, if there is nothing to do."""
        if n_threads:
            self.kernels[name]((-(-n_threads // THREADS), n_cases), (THREADS,), arguments)
