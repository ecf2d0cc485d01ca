"""Blocks in the memory of a GPU, one or many."""

from __future__ import annotations

import numpy as np

from lbmgen.kernels import COPY, RECEIVE, SEND, SWEEP, VECTOR, Exchange, Part, Region
from runkit.mpi import World

# What the items of a program become beside those that they are: on a second stream, while messages travel.
FORK, SWEEP_BESIDE, JOIN = range(RECEIVE + 1, RECEIVE + 4)

Runs = list[tuple]  # of equal length: first sites, number of runs, sites in a run


class Placed:
    """A part on the GPU; `row` describes it to kernels, as `Case` of lbm.cu does."""

    def __init__(self, gpu, part: Part, group: World) -> None:
        self.shape, self.places = part.solid.shape, part.places
        self.host = part._replace(h=None)  # for what is computed there
        self.h = gpu.xp.asarray(part.h)
        self.row_start = gpu.xp.asarray(part.rows.start)
        self.mail = [Mail(gpu, exchange, part.h.dtype, group) for exchange in part.exchanges]
        self.items = [self._items(gpu, part, items) for items in (part.program.even, part.program.odd)]
        tables = part.links, part.kept, part.outlets
        links, kept, outlets = (tuple(map(gpu.xp.asarray, table)) for table in tables)
        numbers = gpu.xp.asarray(np.array(part.numbers, part.h.dtype))
        own = (self.h, numbers, *(gpu.xp.asarray(table) for table in (part.force, part.solid)))
        self.memory = outlets[part.outlets._fields.index("memory")]
        self.target = outlets[part.outlets._fields.index("target")]
        self.n_links, self.n_sites, self.n_open = len(part.links.a), len(part.outlets.law), len(part.outlets.i)
        self.n_kept, n_returned = len(part.kept.rest), part.kept.left.shape[1]
        self._held = own, links, kept, outlets
        addresses = [[gpu.address(array) for array in table] for table in self._held]
        sizes: tuple[list[int], ...] = [], [self.n_links], [self.n_kept, n_returned], [self.n_sites, self.n_open]
        self.row = np.concatenate([[*a, *n] for a, n in zip(addresses, sizes, strict=True)]).astype(np.int64)

    def _items(self, gpu, part: Part, items: np.ndarray) -> list[tuple]:
        """The items of a program with what their kernels take; what is swept after a first message goes beside."""
        result: list[tuple] = []
        is_beside = False
        for operation, parity, begin, end in items.tolist():
            if operation in (SEND, RECEIVE):
                result += [(FORK, None)] if not is_beside else []
                is_beside = True
                result.append((operation, self.mail[begin]))
            elif operation == SWEEP:
                runs = runs_of(gpu, Region(*(table[begin:end] for table in part.program.region)))
                result.append((SWEEP_BESIDE if is_beside else SWEEP, runs))
            else:
                result += [(JOIN, None)] if is_beside else []
                is_beside = False
                copies = part.copies if operation == COPY else ()
                result.append((operation, [gpu.xp.asarray(table[parity][begin:end]) for table in copies]))
        return result


class Mail:
    """An exchange: tables and buffers on the GPU, and what MPI sees: these buffers or, if it cannot, copies."""

    def __init__(self, gpu, exchange: Exchange, dtype, group: World) -> None:
        self.read, self.written = gpu.xp.asarray(exchange.read), gpu.xp.asarray(exchange.written)
        self.out, self.back = (gpu.xp.empty(len(table), dtype) for table in (self.read, self.written))
        self.sent, self.received = self.out, self.back
        self.is_staged = not group.takes_device_arrays
        if self.is_staged:
            self.sent, self.received = (gpu.pinned(len(table), dtype) for table in (self.read, self.written))
        self.messages = exchange.messages(group, self.sent, self.received)


class Batch:
    """Parts with the same layout and law whose steps are launched together, and the record of `n_steps` steps."""

    def __init__(self, gpu, parts: list[Placed], n_steps: int) -> None:
        xp, d, self.n_bodies = gpu.xp, len(parts[0].shape), parts[0].host.n_bodies
        self.gpu, self.parts, self.n_steps = gpu, list(parts), n_steps
        self.table = xp.asarray(np.concatenate([part.row for part in parts]))
        self.clock = xp.zeros((len(parts), n_steps))
        self.tally = xp.zeros((len(parts), n_steps, self.n_bodies, d + 1), np.int64)
        self.step = xp.zeros(1, np.int32)  # where kernels read which step it is
        self.pairs: dict = {}  # graphs of two steps, by the parity of the first
        names = "n_links", "n_kept", "n_sites"
        self.n_links, self.n_kept, self.n_sites = (max(getattr(part, name) for part in parts) for name in names)

    def begin(self, clocks: np.ndarray, step: int) -> None:
        """Empty the record; kernels find `step` where they read which step it is."""
        self.clock[...] = self.gpu.xp.asarray(clocks)
        self.tally[...] = 0
        self.step[...] = step

    def holds(self, parts: list[Placed], n_steps: int) -> bool:
        """Whether it is the batch of these parts."""
        return self.n_steps == n_steps and list(map(id, self.parts)) == list(map(id, parts))


def runs_of(gpu, region: Region) -> Runs:
    """The runs of a region by their length in sites."""
    result = []
    for n_vectors in np.unique(region.n_vectors[region.n_vectors > 0]):
        start = region.start[region.n_vectors == n_vectors]
        result.append((gpu.xp.asarray(start), len(start), int(n_vectors) * VECTOR))
    return result
