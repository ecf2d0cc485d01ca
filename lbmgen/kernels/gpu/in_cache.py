"""Many steps of cases whose populations lie in the cache of the GPU: memory is read once for all of them.

As many cases as a part of the cache holds take all their steps in one launch, then the next ones do. Blocks of threads
stay for all steps and share the sites of a case; they wait for each other after each part of a step, while those of
other cases on the same multiprocessor go on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lbmgen.kernels import COPY, SWEEP
from lbmgen.kernels.gpu.block import Batch, LoadedBlock
from lbmgen.kernels.gpu.launches import THREADS, Launches
from runkit.device import Gpu

# The part of the cache that populations and tables may take. An A100 and an H100 have it in two halves, and what
# multiprocessors of both read may lie in either.
SHARE = 0.5


class InCache:
    """All steps of the cases of a batch, some cases at a time."""

    def __init__(self, launches: Launches, batch: Batch) -> None:
        self._launches, self._batch = launches, batch
        self._met = batch.gpu.xp.zeros(len(batch.blocks), np.uint32)  # blocks that have come to where they wait
        self._n_resident = batch.gpu.resident_blocks(launches.kernels["advance_cached"], THREADS)
        # Parts of nearly one size: the last launch would else leave most multiprocessors idle.
        self._sizes = sizes(len(batch.blocks), n_together(batch.gpu, batch.blocks, self._n_resident))
        self._how = self._arguments(batch.blocks[0])

    def _arguments(self, block: LoadedBlock) -> tuple[Any, ...]:
        """What a launch takes beside the cases: sites and copies."""
        sweeps = [what for _, items in block.steps for operation, what in items if operation == SWEEP]
        copies = [what for _, items in block.steps for operation, what in items if operation == COPY]
        ((start, n_runs, length),) = sweeps[0]  # rows of one length, in either step
        self._n_blocks = -(-n_runs * length // THREADS)
        tables = [value for source, target in copies for value in (source, target, np.uint32(len(source)))]
        return start, np.uint32(n_runs), np.uint32(length), *tables

    def advance(self, parity: int) -> None:
        """All steps, the first of `parity`."""
        batch, first = self._batch, 0
        self._met[...] = 0
        places = [np.int64(place) for one in batch.blocks[0].places for place in one]
        for size in self._sizes:
            these = slice(first, first + size)
            numbers = map(np.int32, (parity, batch.n_steps, batch.n_bodies))
            how = *numbers, batch.scale[these], batch.impulse[these], self._met[these]
            grid = shared_out(self._n_blocks, self._n_resident // size), size
            arguments = batch.table[these], *self._how, *how, *places
            batch.gpu.launch_together(self._launches.kernels["advance_cached"], grid, (THREADS,), arguments)
            first += size


def n_together(gpu: Gpu, blocks: list[LoadedBlock], n_resident: int) -> int:
    """Cases that the cache holds at once, each with a block of threads or more; 0 if there is no room for one."""
    return min(int(SHARE * gpu.l2_bytes / max(block.n_bytes for block in blocks)), n_resident)


def sizes(n_cases: int, n_at_most: int) -> list[int]:
    """Cases in as few parts as can be, of nearly the same size."""
    n_parts = -(-n_cases // n_at_most)
    return [n_cases * (k + 1) // n_parts - n_cases * k // n_parts for k in range(n_parts)]


def shared_out(n_blocks: int, n_at_most: int) -> int:
    """Blocks that do the work of `n_blocks` in as many turns as `n_at_most` would need, all of them nearly full."""
    return -(-n_blocks // -(-n_blocks // n_at_most))
