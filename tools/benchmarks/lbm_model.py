"""What a step of a decomposed domain is made of, and what follows for 64 GPUs.

    t = overhead + max(compute, halo),    halo = cut axes * (latency + bytes both ways / bandwidth)

The overhead is what a step costs beside its sites and messages; latency and bandwidth are those of two messages to and
two from the neighbours of an axis, which travel while the interior is computed. All are measured here between two
ranks, and the model is held against their steps. For GPUs the rates are published and the network is assumed, as
printed.

Source of the GPU rate: FluidX3D's published benchmarks (https://github.com/ProjectPhysX/FluidX3D), D3Q19 float32 on an
A100; D2Q9 moves 72 instead of 152 bytes per site.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lbmgen.decomposition import Decomposition
from lbmgen.lattices import lattice
from runkit.dataset.card import table
from tools.benchmarks.lbm_cpu import launch

BOXES = ("64x64", "256x256", "512x512", "1024x1024", "4096x1024")
LONG = 1 << 20  # bytes of a message that shows the bandwidth
A100 = {"D3Q19": 8.543e9, "D2Q9": 8.543e9 * 152 / 72}  # sites/s
LARGE = (("D2Q9", (4096, 4096)), ("D2Q9", (32768, 32768)), ("D3Q19", (256,) * 3), ("D3Q19", (1024,) * 3))
DISK = 5e9  # B/s of a parallel file system, assumed


class Network(NamedTuple):
    """Seconds that a step costs beside its sites; seconds and B/s of an exchange along one axis."""

    overhead: float
    latency: float
    bandwidth: float

    def step(self, compute: float, name: str, block: tuple[float, ...], cut: list[int]) -> float:
        """Seconds of a step of a block whose sites take `compute`."""
        per_face = sum(c[0] == 1 for c in lattice(name).c)
        faces = [float(np.prod(block)) / block[axis] for axis in cut]
        halo = sum(self.latency + 2 * 4 * per_face * face / self.bandwidth for face in faces)
        return self.overhead + max(compute, halo)

    def __str__(self) -> str:
        return (
            f"{self.overhead * 1e6:.0f} us of overhead per step, {self.latency * 1e6:.1f} us and "
            f"{self.bandwidth / 1e9:.3g} GB/s per exchange"
        )


ASSUMED = Network(overhead=10e-6, latency=10e-6, bandwidth=20e9)  # launches, CUDA-aware MPI, a port of 200 Gb/s


def run(arguments: Any) -> None:
    """Measure, compare, predict; prints everything."""
    one, two = launch(1), launch(2)
    try:
        here = _measured(two, arguments.seconds)
        print(f"two ranks here: {here}")
        head = ["D2Q9 float32", "1 rank", "2 ranks", "model", "speed-up"]
        print("\n".join(table([head, *_compared(one, two, here, arguments.seconds)])))
    finally:
        one.close()
        two.close()
    print(f"\n64 A100, assumed: {ASSUMED}; {DISK / 1e9:g} GB/s to disk")
    head = ["domain", "GLUPS", "efficiency", "a frame of all sites every 100 steps"]
    print("\n".join(table([head, *(_predicted(*domain) for domain in LARGE)])))


def _measured(two: Any, seconds: float) -> Network:
    short, long = (two.ask(f"exchange - {size} - {seconds}") * 1e-6 for size in (8, LONG))
    smallest = 16 * 16 / (two.ask(f"D2Q9 bgk float32 16x16 {seconds}") * 1e6)
    return Network(max(smallest - short, 0.0), short, 2 * LONG / (long - short))


def _compared(one: Any, two: Any, here: Network, seconds: float) -> list[list[str]]:
    """Steps on one rank and on two, and the estimate of the model from a rank's half of the domain alone."""
    rows = []
    for box in BOXES:
        n, m = map(int, box.split("x"))

        def step(worker: Any, n: int, m: int) -> float:
            return n * m / (worker.ask(f"D2Q9 bgk float32 {n}x{m} {seconds}") * 1e6)

        alone, together, half = step(one, n, m), step(two, n, m), step(one, n // 2, m)
        said = here.step(half, "D2Q9", (n // 2, m), [0])
        rows.append([box, *(f"{1e6 * t:.0f} us" for t in (alone, together, said)), f"{alone / together:.2f}"])
    return rows


def _predicted(name: str, shape: tuple[int, ...]) -> list[str]:
    """Rate and efficiency, and what writing all sites every 100 steps adds to the time of the steps."""
    grid = Decomposition.best(shape, 64, slabs=False).grid
    block = tuple(total / n for total, n in zip(shape, grid, strict=True))
    compute = float(np.prod(block)) / A100[name]
    step = ASSUMED.step(compute, name, block, [axis for axis, n in enumerate(grid) if n > 1])
    frame = float(np.prod(shape)) * 4 * (1 + len(shape)) / DISK
    size = f"{name} {' x '.join(map(str, shape))}"
    return [size, f"{np.prod(shape) / step / 1e9:.0f}", f"{compute / step:.2f}", f"+{frame / step:.0f} %"]
