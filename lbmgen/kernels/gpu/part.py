"""Blocks in the memory of a GPU, one or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from lbmgen.kernels import COPY, OUTLETS, RECEIVE, SEND, SWEEP, VECTOR, WALLS, Exchange, Links, Part, Region
from runkit.arrays import F64, I64, DType
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
    mail: Mail


class Placed:
    """A part on the GPU; `row` describes it to kernels, as `Case` of cases.cu does."""

    def __init__(self, gpu: Gpu, part: Part, group: World) -> None:
        self.shape, self.places = part.solid.shape, part.places
        self.host = part._replace(h=np.empty(0, part.h.dtype))  # for what is computed there
        self.h = gpu.xp.asarray(part.h)
        self.row_start = gpu.xp.asarray(part.rows.start)
        self.mail = [Mail(gpu, exchange, part.h.dtype, group) for exchange in part.exchanges]
        self.steps = [self._step(gpu, part, items) for items in (part.program.even, part.program.odd)]
        kept = *part.kept, setters(part.links, part.kept.arrived)
        walls = (setters(part.links, places) for places in (part.outlets.inner, part.outlets.here))
        open_faces = *part.outlets, *walls
        links, kept, outlets = (tuple(map(gpu.xp.asarray, table)) for table in (part.links, kept, open_faces))
        numbers = gpu.xp.asarray(np.array(part.numbers, part.h.dtype))
        own = (self.h, numbers, *(gpu.xp.asarray(table) for table in (part.force, part.solid)))
        self.memory = outlets[part.outlets._fields.index("memory")]
        self.target = outlets[part.outlets._fields.index("target")]
        n_links, n_kept, n_sites = len(part.links.a), len(part.kept.rest), len(part.outlets.law)
        self.n_open, n_returned = len(part.outlets.i), part.kept.left.shape[1]
        self.n_boundary = warps(n_links) + warps(n_kept) + n_sites
        self._held = own, links, kept, outlets
        addresses = [[gpu.address(array) for array in table] for table in self._held]
        sizes: tuple[list[int], ...] = [], [n_links], [n_kept, n_returned], [n_sites, self.n_open]
        self.row = np.concatenate([[*a, *n] for a, n in zip(addresses, sizes, strict=True)]).astype(np.int64)
        self.n_bytes = sum(array.nbytes for table in self._held for array in table)

    def _step(self, gpu: Gpu, part: Part, items: I64) -> tuple[list[Stage], Items]:
        """A step as a program has it: what goes around each exchange, then what comes after all of them."""
        stages: list[Stage] = []
        present: Items = []
        before, beside = present, []
        for operation, parity, begin, end in items.tolist():
            if operation == SEND:
                before, present = [*present, (SEND, self.mail[begin])], []
            elif operation == SWEEP:
                runs = runs_of(gpu, Region(*(table[begin:end] for table in part.program.region)))
                if before is present:
                    present.append((SWEEP, runs))
                else:
                    beside = runs
            elif operation == RECEIVE:
                stages.append(Stage(before, beside, self.mail[begin]))
                before = present = [(RECEIVE, self.mail[begin])]
            elif operation == COPY:
                present.append((COPY, [gpu.xp.asarray(table[parity][begin:end]) for table in part.copies]))
            elif operation == OUTLETS:  # the last item of a step; walls come right before it
                present.append((BOUNDARIES, None))
        return stages, present


class Mail:
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
    """Parts with the same layout and law whose steps are launched together, and the record of `n_steps` steps."""

    def __init__(self, gpu: Gpu, parts: Sequence[Placed], n_steps: int) -> None:
        xp, d, self.n_bodies = gpu.xp, len(parts[0].shape), parts[0].host.n_bodies
        self.gpu, self.parts, self.n_steps = gpu, list(parts), n_steps
        self.table = xp.asarray(np.stack([part.row for part in parts]))
        self.scale = xp.zeros((len(parts), n_steps))
        self.impulse = xp.zeros((len(parts), n_steps, self.n_bodies, d + 1), np.int64)
        self.step = xp.zeros(1, np.int32)  # where kernels read which step it is
        self.n_boundary = max(part.n_boundary for part in parts)

    def begin(self, scales: F64, step: int) -> None:
        """Empty the record; kernels find `step` where they read which step it is."""
        self.scale[...] = self.gpu.xp.asarray(scales)
        self.impulse[...] = 0
        self.step[...] = step

    def holds(self, parts: Sequence[Placed], n_steps: int) -> bool:
        """Whether it is the batch of these parts."""
        return self.n_steps == n_steps and list(map(id, self.parts)) == list(map(id, parts))


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
    return -(-n // WARP) * WARP


def runs_of(gpu: Gpu, region: Region) -> Runs:
    """The runs of a region by their length in sites."""
    result = []
    for n_vectors in np.unique(region.n_vectors[region.n_vectors > 0]):
        start = region.start[region.n_vectors == n_vectors]
        result.append((gpu.xp.asarray(start), len(start), int(n_vectors) * VECTOR))
    return result
