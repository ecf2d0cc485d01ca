"""Blocks in the memory of a GPU, one or many."""

from __future__ import annotations

import numpy as np

from lbmgen.kernels import VECTOR, Part, Region

Runs = list[tuple]  # of equal length: first sites, number of runs, sites in a run


class Placed:
    """A part on the GPU; `row` describes it to kernels, as `Case` of lbm.cu does."""

    def __init__(self, gpu, part: Part) -> None:
        self.shape, self.places = part.solid.shape, part.places
        self.host = part._replace(h=None)  # for what is computed there
        self.h = gpu.xp.asarray(part.h)
        self.region = runs_of(gpu, part.region)
        self.row_start = gpu.xp.asarray(part.region.start)
        self.copies = [tuple(map(gpu.xp.asarray, pair)) for pair in zip(*part.copies, strict=True)]
        links, outlets = (tuple(map(_on(gpu), table)) for table in (part.links, part.outlets))
        numbers = _on(gpu)(np.array(part.numbers, part.h.dtype))
        own = (self.h, numbers, *(_on(gpu)(table) for table in (part.force, part.solid)))
        self.memory = outlets[part.outlets._fields.index("memory")]
        self.target = outlets[part.outlets._fields.index("target")]
        self.n_links, self.n_sites, self.n_open = len(part.links.a), len(part.outlets.law), len(part.outlets.i)
        self._held = own, links, outlets
        addresses = [[gpu.address(array) for array in table] for table in self._held]
        self.row = np.array([*addresses[0], *addresses[1], self.n_links, *addresses[2], self.n_sites, self.n_open])
        self.table, self.no_step = gpu.xp.asarray(self.row), gpu.xp.zeros(1, np.int32)


class Batch:
    """Parts with the same layout and law whose steps are launched together, and the record of `n_steps` steps."""

    def __init__(self, gpu, parts: list[Placed], n_steps: int) -> None:
        xp, d = gpu.xp, len(parts[0].shape)
        self.gpu, self.parts, self.n_steps = gpu, list(parts), n_steps
        self.table = xp.asarray(np.concatenate([part.row for part in parts]))
        self.clock = xp.zeros((len(parts), n_steps))
        self.tally = xp.zeros((len(parts), n_steps, d), np.int64)
        self.step = xp.zeros(1, np.int32)  # where kernels read which step it is
        self.pairs: dict = {}  # graphs of two steps, by the parity of the first
        self.n_links, self.n_sites = (max(getattr(part, name) for part in parts) for name in ("n_links", "n_sites"))

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


def _on(gpu):
    return lambda array: gpu.xp.asarray(np.ascontiguousarray(array))
