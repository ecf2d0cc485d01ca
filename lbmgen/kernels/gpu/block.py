"""Blocks in the memory of a GPU, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from lbmgen.kernels import COPY, OUTLETS, RECEIVE, SEND, SWEEP, VECTOR, WALLS, BlockData, Exchange, Links, Region
from runkit.arrays import F64, I64, DType, rounded_up
from runkit.device import DeviceArray, Gpu
from runkit.mpi import World

BOUNDARIES = WALLS  # a GPU sets walls, the mass that they keep, and open faces at once
WARP = 32  # threads

Runs: TypeAlias = list[tuple[DeviceArray, int, int]]  # of equal length: first sites, number of runs, sites in a run
Items: TypeAlias = list[tuple[int, Any]]  # (operation, what its kernel takes)


class Stage(NamedTuple):
    """What comes before messages can leave, what is swept beside them, and the messages."""

    before: Items
    beside: Runs
    buffers: ExchangeBuffers


class LoadedBlock:
    """A block on the GPU; `row` describes it to kernels, as `Case` of cases.cu does."""

    def __init__(self, gpu: Gpu, data: BlockData, group: World) -> None:
        self.shape, self.places = data.solid.shape, data.places
        self.host = data._replace(h=np.empty(0, data.h.dtype))  # for what is computed there
        self.h = gpu.xp.asarray(data.h)
        self.row_start = gpu.xp.asarray(data.rows.start)
        self.buffers = [ExchangeBuffers(gpu, exchange, data.h.dtype, group) for exchange in data.exchanges]
        self.steps = [self._step(gpu, data, items) for items in (data.program.even, data.program.odd)]
        kept = *data.kept, setters(data.links, data.kept.arrived)
        walls = (setters(data.links, places) for places in (data.outlets.inner, data.outlets.here))
        open_faces = *data.outlets, *walls
        links, kept, outlets = (tuple(map(gpu.xp.asarray, table)) for table in (data.links, kept, open_faces))
        numbers = gpu.xp.asarray(np.array(data.numbers, data.h.dtype))
        own = (self.h, numbers, *(gpu.xp.asarray(table) for table in (data.force, data.solid)))
        self.memory = outlets[data.outlets._fields.index("memory")]
        self.target = outlets[data.outlets._fields.index("target")]
        n_links, n_kept, n_sites = len(data.links.a), len(data.kept.rest), len(data.outlets.law)
        self.n_open, n_returned = len(data.outlets.i), data.kept.left.shape[1]
        self.n_boundary = warps(n_links) + warps(n_kept) + n_sites
        self._held = own, links, kept, outlets
        addresses = [[gpu.address(array) for array in table] for table in self._held]
        sizes: tuple[list[int], ...] = [], [n_links], [n_kept, n_returned], [n_sites, self.n_open]
        self.row = np.concatenate([[*a, *n] for a, n in zip(addresses, sizes, strict=True)]).astype(np.int64)
        self.n_bytes = sum(array.nbytes for table in self._held for array in table)

    def _step(self, gpu: Gpu, data: BlockData, items: I64) -> tuple[list[Stage], Items]:
        """A step as a program has it: what goes around each exchange, then what comes after all of them."""
        stages: list[Stage] = []
        present: Items = []
        before, beside = present, []
        for operation, parity, begin, end in items.tolist():
            if operation == SEND:
                before, present = [*present, (SEND, self.buffers[begin])], []
            elif operation == SWEEP:
                runs = runs_of(gpu, Region(*(table[begin:end] for table in data.program.region)))
                if before is present:
                    present.append((SWEEP, runs))
                else:
                    beside = runs
            elif operation == RECEIVE:
                stages.append(Stage(before, beside, self.buffers[begin]))
                before = present = [(RECEIVE, self.buffers[begin])]
            elif operation == COPY:
                present.append((COPY, [gpu.xp.asarray(table[parity][begin:end]) for table in data.copies]))
            elif operation == OUTLETS:  # the last item of a step; walls come right before it
                present.append((BOUNDARIES, None))
        return stages, present


class ExchangeBuffers:
    """An exchange: tables and buffers on the GPU, and what MPI sees: these buffers or, if it cannot, copies."""

    def __init__(self, gpu: Gpu, exchange: Exchange, dtype: DType, group: World) -> None:
        self.read, self.written = gpu.xp.asarray(exchange.read), gpu.xp.asarray(exchange.written)
        self.out, self.back = (gpu.xp.empty(len(table), dtype) for table in (self.read, self.written))
        self.sent, self.received = self.out, self.back
        self.is_staged = not group.takes_device_arrays
        if self.is_staged:
            self.sent, self.received = (gpu.pinned(len(table), dtype) for table in (self.read, self.written))
        self.messages = exchange.messages(group, self.sent, self.received)


class Batch:
    """Blocks with the same layout and law whose steps are launched together, and the record of `n_steps` steps."""

    def __init__(self, gpu: Gpu, blocks: Sequence[LoadedBlock], n_steps: int) -> None:
        xp, d, self.n_bodies = gpu.xp, len(blocks[0].shape), blocks[0].host.n_bodies
        self.gpu, self.blocks, self.n_steps = gpu, list(blocks), n_steps
        self.table = xp.asarray(np.stack([block.row for block in blocks]))
        self.scale = xp.zeros((len(blocks), n_steps))
        self.impulse = xp.zeros((len(blocks), n_steps, self.n_bodies, d + 1), np.int64)
        self.step = xp.zeros(1, np.int32)  # where kernels read which step it is
        self.n_boundary = max(block.n_boundary for block in blocks)

    def begin(self, scales: F64, step: int) -> None:
        """Empty the record; kernels find `step` where they read which step it is."""
        self.scale[...] = self.gpu.xp.asarray(scales)
        self.impulse[...] = 0
        self.step[...] = step

    def holds(self, blocks: Sequence[LoadedBlock], n_steps: int) -> bool:
        """Whether it is the batch of these blocks."""
        return self.n_steps == n_steps and list(map(id, self.blocks)) == list(map(id, blocks))


def setters(links: Links, places: I64) -> I64:
    """Which link of a wall sets each of `places` [2, …] by state, int64 of their shape; -1 where none does."""
    result = np.full(places.shape, -1, np.int64)
    for setter, target, place in zip(result, links.target, places, strict=True):
        if len(target):
            order = np.argsort(target)
            found = order[np.minimum(np.searchsorted(target, place, sorter=order), len(target) - 1)]
            setter[...] = np.where(target[found] == place, found, -1)
    return result


def warps(n: int) -> int:
    """Threads that do `n` pieces of work of one kind in warps of their own."""
    return rounded_up(n, WARP)


def runs_of(gpu: Gpu, region: Region) -> Runs:
    """The runs of a region by their length in sites."""
    result = []
    for n_vectors in np.unique(region.n_vectors[region.n_vectors > 0]):
        start = region.start[region.n_vectors == n_vectors]
        result.append((gpu.xp.asarray(start), len(start), int(n_vectors) * VECTOR))
    return result
