"""lbmgen on a GPU beside the bandwidth of its memory: 1e9 site updates per second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lbmgen.api import faces_of
from lbmgen.block import Block, Fluid, advance
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain, body_of
from lbmgen.lattices import lattice
from runkit.device import choose
from runkit.mpi import SerialWorld
from tools.benchmarks.gpu_clock import copy_rate
from tools.benchmarks.table import Row, show

ROUND = 100  # steps of a call
STREET = {"x_low": {"kind": "velocity", "velocity": 0.08}, "x_high": "convective", "y": "free-slip"}


class Task(NamedTuple):
    """Cases of the same shape side by side: periodic boxes, or flows past cylinders of their own."""

    lattice: str
    shape: tuple[int, ...]
    n_cases: int = 1
    faces: Any = "periodic"
    law: str = "bgk"
    target: str = "-"

    def __str__(self) -> str:
        what = "periodic" if self.faces == "periodic" else "past cylinders"
        return f"{self.n_cases} of {self.lattice} {self.law} float32 {'x'.join(map(str, self.shape))}, {what}"

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
    Task("D2Q9", (4096, 4096), target="fraction 0.8"),
    Task("D2Q9", (256, 256), 1, STREET),
    *(Task("D2Q9", (256, 256), n, STREET, target="fraction 0.5") for n in (16, 64, 256)),
    Task("D3Q19", (256, 256, 256), target="fraction 0.8"),
    *(Task("D2Q9", (4096, 4096), law=law) for law in ("trt", "regularised", "smagorinsky")),
)


def run(arguments) -> None:
    """Measure all cases and print the table."""
    gpu: Any = choose(SerialWorld(), "gpu")
    bandwidth = copy_rate(gpu)
    print(f"{gpu.name}: an array is copied at {bandwidth / 1e9:.4g} GB/s, read and written\n")
    show(rows(gpu, arguments.seconds, bandwidth), "GLUPS")


def rows(gpu: Any, seconds: float, bandwidth: float, tasks: Sequence[Task] = TASKS) -> Iterator[Row]:
    """Rates of all tasks beside what `bandwidth` in B/s allows."""
    for task in tasks:
        limit = bandwidth / (2 * 4 * lattice(task.lattice).q)
        yield Row(str(task), [rate(gpu, task, seconds) / 1e9], limit=limit / 1e9, target=task.target)


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
