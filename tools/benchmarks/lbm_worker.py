"""Measures lbmgen on the ranks that it is started on, once for each line of input; one rank is bound to one core.

Each line of standard input is "LATTICE LAW DTYPE SHAPE SECONDS", SHAPE as 256x256 for a periodic box or street-256x256
for flow past a cylinder, answered by a line with million site updates per second of wall time; or "copy|scale - DTYPE -
SECONDS", by GB/s through memory; or "exchange - BYTES - SECONDS", by microseconds in which each rank sends so many
bytes to either neighbour and receives as many.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from numba import njit

from lbmgen.api import faces_of
from lbmgen.block import Block, Fluid
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain, body_of
from lbmgen.lattices import lattice
from runkit.mpi import Messages, MpiWorld, World, connect, single_threaded

STREET = {"x_low": {"kind": "velocity", "velocity": 0.08}, "x_high": "convective", "y": "free-slip"}
MEMORY = 1 << 27  # bytes of an array that no cache holds


@njit
def _scale(a, factor):
    for i in range(a.size):
        a[i] *= factor


@njit
def _copy(a, b):
    for i in range(a.size):
        b[i] = a[i]


def bandwidth(world: World, how: str, dtype: str, seconds: float) -> float:
    """GB/s of all ranks together: reading and writing one array in place, or copying one to another."""
    a, one = np.ones(MEMORY // np.dtype(dtype).itemsize, dtype), np.dtype(dtype).type(1)
    b = np.ones_like(a)
    run = (lambda: _scale(a, one)) if how == "scale" else (lambda: _copy(a, b))
    run()
    return _timed(world, run, seconds) * 2 * a.nbytes * world.size / 1e9


def exchange(world: World, size: int, seconds: float) -> float:
    """Microseconds of two messages to and two from the neighbours of a ring."""
    ahead, behind = (world.rank + 1) % world.size, (world.rank - 1) % world.size
    out, back = np.zeros((2, size), np.uint8), np.zeros((2, size), np.uint8)
    messages = Messages(world, [(ahead, 0, out[0]), (behind, 1, out[1])], [(behind, 0, back[0]), (ahead, 1, back[1])])

    def run() -> None:
        for _ in range(100):
            messages.start()
            messages.wait()

    found = 1e6 / (100 * _timed(world, run, seconds))
    messages.free()
    return found


def prepare(world: World, name: str, law: str, dtype: str, shape: tuple[int, ...], is_street: bool = False) -> Block:
    """A periodic box or a street at rest, cut among the ranks."""
    of = lattice(name)
    cutting = Decomposition.best(shape, world.size)
    origin, own = cutting.block(world.rank)
    domain = Domain(shape, faces_of(STREET if is_street else "periodic", of.d))
    center, radius = np.array([shape[0] / 4, shape[1] / 2]), shape[1] / 16
    body = Body(np.zeros([n + 2 for n in own], bool))
    if is_street:
        body = body_of(lambda places: np.hypot(*(places - center).T).T - radius, origin, own, domain)
    return Block(Fluid(of, collision.build(law), 0.8, None, dtype), domain, cutting, world, body)


def rate(world: World, block: Block, shape: tuple[int, ...], seconds: float) -> float:
    """Million site updates per second of all ranks together."""
    n_steps = max(2, round(2e6 / np.prod(shape)) * 2)
    return _timed(world, lambda: block.advance(np.ones(n_steps)), seconds) * n_steps * float(np.prod(shape)) / 1e6


def _timed(world: World, run, seconds: float) -> float:
    """Calls per second of wall time, the same number on every rank."""
    run()
    world.barrier()
    began = time.perf_counter()
    run()
    n_calls = max(1, round(seconds / max(world.max(time.perf_counter() - began), 1e-6)))
    world.barrier()
    began = time.perf_counter()
    for _ in range(n_calls):
        run()
    world.barrier()
    return n_calls / (time.perf_counter() - began)


def _next_line(world: World) -> str:
    """What root reads; the others sleep until then, so that they do not take the cores of whom we are compared with."""
    line = sys.stdin.readline() if world.is_root else ""
    if isinstance(world, MpiWorld):
        arrived = world.comm.Ibarrier()
        while not arrived.Test():
            time.sleep(1e-3)
    return world.bcast(line)


def main() -> None:
    world = connect()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[world.rank % len(cores)]})
    key, block = None, None
    while line := _next_line(world):
        name, law, dtype, extents, seconds = line.split()
        if name in ("copy", "scale"):
            found = bandwidth(world, name, dtype, float(seconds))
        elif name == "exchange":
            found = exchange(world, int(dtype), float(seconds))
        else:
            is_street, shape = extents.startswith("street-"), tuple(map(int, extents.rpartition("-")[2].split("x")))
            if block is None or key != (name, law, dtype, extents):
                if block is not None:
                    block.free()
                key, block = (name, law, dtype, extents), prepare(world, name, law, dtype, shape, is_street)
            found = rate(world, block, shape, float(seconds))
        if world.is_root:
            print(found, flush=True)
    if block is not None:
        block.free()


if __name__ == "__main__":
    single_threaded()
    main()
