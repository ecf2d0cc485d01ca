"""lbmgen on a GPU beside the bandwidth of its memory.

Ours are whole steps, with boundaries and forces, timed from the call to the result on the host. The limit is what
reading and writing all populations once would take at the rate at which an array is copied in the same run; batches
that fit in the cache may exceed it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lbmgen.api import faces_of
from lbmgen.block import Block, Fluid, advance
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain, body_of
from lbmgen.lattices import lattice
from runkit.dataset.card import table
from runkit.mpi import SerialWorld

COPIED = 1 << 31  # bytes of the array that is copied
ROUND = 100  # steps of a call
STREET = {"x_low": {"kind": "velocity", "velocity": 0.08}, "x_high": "convective", "y": "free-slip"}


class Task(NamedTuple):
    """Cases of the same shape side by side: periodic boxes, or flows past cylinders of their own."""

    lattice: str
    shape: tuple[int, ...]
    n_cases: int = 1
    faces: Any = "periodic"
    law: str = "bgk"

    def __str__(self) -> str:
        what = "periodic" if self.faces == "periodic" else "past cylinders"
        sites = " x ".join(map(str, self.shape))
        return f"{self.lattice} {self.law} float32, {self.n_cases} of {sites}, {what}"

    @property
    def n_sites(self) -> int:
        """Sites of all cases."""
        return self.n_cases * int(np.prod(self.shape))

    def blocks(self, gpu: Any) -> list[Block]:
        """The cases, at rest."""
        of = lattice(self.lattice)
        domain = Domain(self.shape, faces_of(self.faces, of.d))
        whole = Decomposition(self.shape, (1,) * of.d)
        made = []
        for k in range(self.n_cases):
            fluid = Fluid(of, collision.build(self.law), 0.8)
            block = Block(fluid, domain, whole, SerialWorld(), self._body(k, domain), gpu)
            block.start(np.ones(self.shape), np.zeros((*self.shape, of.d)))
            made.append(block)
        return made

    def _body(self, k: int, domain: Domain) -> Body:
        """The cylinder of case `k`; periodic boxes have none."""
        if self.faces == "periodic":
            return Body(np.zeros([n + 2 for n in self.shape], bool))
        width = self.shape[1]
        radius, center = width / 16 * (1 + k / self.n_cases), np.array([width / 4, width / 2])
        return body_of(lambda places: np.hypot(*(places - center).T).T - radius, (0, 0), self.shape, domain)


TASKS = (
    Task("D2Q9", (4096, 4096)),
    *(Task("D2Q9", (256, 256), n, STREET) for n in (1, 16, 64, 256)),
    Task("D3Q19", (256, 256, 256)),
    *(Task("D2Q9", (4096, 4096), law=law) for law in ("trt", "regularised", "smagorinsky")),
)


def measure(gpu: Any, seconds: float, tasks: Sequence[Task] = TASKS, n_bytes: int = COPIED) -> None:
    """Print rates in units of 1e9 site updates per second, and their parts of the limit."""
    bandwidth = copy_rate(gpu, seconds, n_bytes)
    print(f"\n{gpu.name}: an array is copied at {bandwidth / 1e9:.4g} GB/s, read and written\n")
    rows = [["case", "ours, GLUPS", "limit, GLUPS", "ours / limit"]]
    for task in tasks:
        limit = bandwidth / (2 * 4 * lattice(task.lattice).q)
        ours = rate(gpu, task, seconds)
        rows.append([str(task), f"{ours / 1e9:.4g}", f"{limit / 1e9:.4g}", f"{ours / limit:.2f}"])
    print("\n".join(table(rows)))


def copy_rate(gpu: Any, seconds: float, n_bytes: int) -> float:
    """B/s, of reading and of writing together."""
    source = gpu.xp.ones(n_bytes // 4, np.float32)
    target = gpu.xp.empty_like(source)

    def copy() -> None:
        for _ in range(ROUND):
            target[...] = source
        gpu.wait()

    return calls_per_second(copy, seconds) * ROUND * 2 * source.nbytes


def rate(gpu: Any, task: Task, seconds: float) -> float:
    """Site updates per second."""
    blocks, clocks = task.blocks(gpu), np.ones((task.n_cases, ROUND))
    found = calls_per_second(lambda: advance(blocks, clocks), seconds) * ROUND * task.n_sites
    for block in blocks:
        block.free()
    return found


def calls_per_second(function: Callable[[], Any], seconds: float) -> float:
    """The best of three, of wall time, each as long as `seconds` or one call, after a call that is not counted."""
    function()
    found = []
    for _ in range(3):
        n_calls, began = 0, time.perf_counter()
        while n_calls == 0 or time.perf_counter() - began < seconds:
            function()
            n_calls += 1
        found.append(n_calls / (time.perf_counter() - began))
    return max(found)
