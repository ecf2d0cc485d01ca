"""Flows to be measured on a GPU, quickly made there; the one place where measurements reach into its kernels.

Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np

from lbmgen.api import faces_of
from lbmgen.block import Block, Fluid
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain, body_of
from lbmgen.kernels import COPY, SWEEP
from lbmgen.kernels.gpu.block import BOUNDARIES, Batch, LoadedBlock
from lbmgen.kernels.gpu.launches import Now
from lbmgen.kernels.gpu.steps import SideBySide, Steps
from lbmgen.lattices import lattice
from runkit.mpi import SerialWorld

STREET = {"x_low": {"kind": "velocity", "velocity": 0.08}, "x_high": "convective", "y": "free-slip"}
NAMES = {SWEEP: "sweep", COPY: "copy", BOUNDARIES: "boundaries"}
PORTION = 1 << 24  # populations that get their noise at a time
NOISE = 1e-3  # of populations, so that power, clocks and branches are those of a real flow


class Flow(NamedTuple):
    """Cases of one shape side by side: periodic boxes, or streets past a cylinder."""

    lattice: str
    shape: tuple[int, ...]
    n_cases: int = 1
    street: bool = False
    law: str = "bgk"
    dtype: str = "float32"

    def __str__(self) -> str:
        where = "past cylinders" if self.street else "periodic"
        return f"{self.n_cases} of {self.lattice} {self.law} {self.dtype} {'x'.join(map(str, self.shape))}, {where}"

    @property
    def n_sites(self) -> int:
        """Sites of all cases."""
        return self.n_cases * int(np.prod(self.shape))

    @property
    def site_bytes(self) -> int:
        """Bytes that a step reads and writes for a site at least: each population once."""
        return 2 * np.dtype(self.dtype).itemsize * lattice(self.lattice).q

    def small(self) -> Flow:
        """The same in a few sites."""
        return self._replace(shape=tuple(min(extent, 24) for extent in self.shape), n_cases=min(self.n_cases, 2))


class Cases:
    """The cases of a flow on a device. The first is made as a run makes it, the others are copies of its memory."""

    def __init__(self, device: Any, flow: Flow) -> None:
        of = lattice(flow.lattice)
        domain = Domain(flow.shape, faces_of(STREET if flow.street else "periodic", of.d))
        whole = Decomposition(flow.shape, (1,) * of.d)
        fluid = Fluid(of, collision.build(flow.law), 0.8, None, flow.dtype)
        self.flow, self._device = flow, device
        self.block = Block(fluid, domain, whole, SerialWorld(), _body(flow, domain), device)
        self.steps = cast(Steps, self.block.steps)  # of a GPU: no other back end is measured here
        self.blocks = [cast(LoadedBlock, self.block.loaded)]
        if flow.n_cases > 1:
            data = self.block._data(whole, 0)
            self.blocks += [self.steps.load(data, SerialWorld()) for _ in range(flow.n_cases - 1)]
        for k, loaded in enumerate(self.blocks):
            _disturb(device, loaded.h, k)

    def batch(self, n_steps: int) -> Batch:
        """The record of `n_steps` steps, before the first one: kernels write to it, so no more may be taken."""
        batch = Batch(self._device, self.blocks, n_steps)
        self.rewind(batch)
        return batch

    def rewind(self, batch: Batch) -> None:
        """To the beginning of its record."""
        batch.begin(np.ones((len(self.blocks), batch.n_steps)), -2)

    @property
    def are_in_cache(self) -> bool:
        """Whether a run takes their steps from the cache."""
        return SideBySide(self.steps.launches, self.batch(1)).is_in_cache

    def pair(self, batch: Batch) -> Callable[[], None]:
        """Two steps of all as one graph, from memory."""
        together = SideBySide(self.steps.launches, batch)
        return self._device.graph(lambda: together.pair(0))

    def kernels(self, batch: Batch) -> list[tuple[str, Callable[[], None]]]:
        """The launches of two steps by name."""
        found = []
        for parity in (0, 1):
            for operation, what in self.blocks[0].steps[parity][1]:
                found.append((NAMES[operation], self._launch(operation, Now(batch, parity, 0, 3), what)))
        return found

    def _launch(self, operation: int, now: Now, what: Any) -> Callable[[], None]:
        return lambda: self.steps.launches.do(now, [(operation, what)])

    def advance(self, n_steps: int) -> None:
        """Steps as a run takes them, with all that the host does for them."""
        self.steps.advance(self.blocks, 0, np.ones((len(self.blocks), n_steps)))

    def statistics(self, width: int) -> None:
        """What a run stores of a frame."""
        self.steps.statistics(self.blocks, 1, width)

    def free(self) -> None:
        """No more steps."""
        self.block.free()


def _body(flow: Flow, domain: Domain) -> Body:
    if not flow.street:
        return Body(np.zeros([n + 2 for n in flow.shape], bool))
    radius, center = flow.shape[1] / 12, np.array(flow.shape) * (0.25, 0.5)
    return body_of(lambda places: np.hypot(*(places - center).T).T - radius, (0, 0), flow.shape, domain)


def _disturb(device: Any, h: Any, k: int) -> None:
    """Noise for populations, made where they lie."""
    for first in range(0, h.size, PORTION):
        place = device.xp.arange(first, min(h.size, first + PORTION), dtype=np.float64)
        h[first : first + PORTION] = (NOISE * device.xp.sin(12.9898 * place * (1 + place % 7) + k)).astype(h.dtype)
