"""A flow on all ranks of a launch in every grid they can form, against one rank: run by test_lbmgen_blocks.py.

With the word "staged" the blocks of the grids are computed behind a stand-in for a GPU, and MPI sees copies of what is
exchanged; with "direct" it sees the arrays of the stand-in. With "pass" blocks take two steps in one pass where they
can, as they do if no cache holds them; with "mixed" every second rank does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from lbmgen.api import faces_of
from lbmgen.block import Block, Fluid
from lbmgen.collisions import collision
from lbmgen.decomposition import LEAST, Decomposition, grids
from lbmgen.domain import Domain, body_of
from lbmgen.kernels import cpu
from lbmgen.lattices import lattice
from runkit.device import Gpu
from runkit.log import say
from runkit.mpi import SerialWorld, launch, takes_device_arrays

INLET = {"kind": "velocity", "velocity": 0.05, "profile": "parabolic"}
FACES = (
    "periodic",
    {"x_low": INLET, "x_high": "convective", "y": "free-slip", "z": "periodic"},
    {"x_low": INLET, "x_high": "pressure", "y": "no-slip", "z": "free-slip"},
    {"x": "periodic", "y_low": "convective", "y_high": "pressure", "z": "no-slip"},
    {"x": "free-slip", "y": "periodic", "z": "no-slip"},
    {"x_low": INLET, "x_high": "characteristic", "y_low": "no-slip", "y_high": "characteristic", "z": "free-slip"},
)
CASES = [
    ("D2Q9", (24, 35), "trt", (1e-5, 2e-5), "float32"),
    ("D2Q9", (25, 24), "smagorinsky", None, "float64"),
    ("D3Q27", (9, 10, 18), "bgk", None, "float32"),
]
N_STEPS = (4, 0, 1, 7)  # of calls one after the other


def flow(group, fluid, domain, grid, gpu=None):
    """Density, velocity and force quanta: this rank's part, and where it lies."""
    decomposition = Decomposition(domain.shape, grid)
    origin, shape = decomposition.block(group.rank)
    centers = np.array([[0.5, 0.5], [0.85, 0.2], [0.2, 0.9]]) * domain.shape[:2] + 0.3  # two lie before open faces

    def distance(places):
        return np.min([np.linalg.norm(places[..., :2] - center, axis=-1) for center in centers], axis=0) - 2.3

    block = Block(fluid, domain, decomposition, group, body_of(distance, origin, shape, domain), gpu)
    here = tuple(slice(first, first + n) for first, n in zip(origin, shape, strict=True))
    random = np.random.default_rng(1)
    rho = 1 + 0.01 * random.standard_normal(domain.shape)
    u = 0.03 * random.standard_normal((*domain.shape, len(domain.shape)))
    block.start(rho[here], u[here])
    ends = np.cumsum(N_STEPS)
    scales = np.split(np.linspace(0.2, 1, ends[-1]), ends[:-1])
    taken = np.concatenate([block.advance(scale) for scale in scales])
    density, velocity = block.moments()
    block.free()
    return here, density, velocity, taken


LARGE = [("D2Q9", (512, 512), "trt", None, "float32"), ("D3Q19", (64, 64, 64), "bgk", None, "float32")]


def device(world):
    """What the command line asks for: the CPU, a GPU, or a stand-in for one, with staged or direct messages."""
    if sys.argv[1] == "pass" or (sys.argv[1] == "mixed" and world.rank % 2):
        cpu.Steps.rows_together = lambda self, layout: 1 + world.rank
    if sys.argv[1] in ("step", "pass", "mixed"):
        return None
    if sys.argv[1] == "gpu":
        gpu = Gpu(0)
        world.takes_device_arrays = takes_device_arrays(world, gpu)
        return gpu
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.shim import StandIn

    type(world).takes_device_arrays = sys.argv[1] == "direct"
    return StandIn()


def main(world) -> None:
    n_grids, gpu = 0, device(world)
    cases = CASES if gpu is None else LARGE if isinstance(gpu, Gpu) else CASES[::2]
    for name, shape, law, force, dtype in cases:
        of = lattice(name)
        fluid = Fluid(of, collision.build(law), 0.6, force, dtype)
        for faces in FACES:
            kinds = faces if isinstance(faces, str) else {f: k for f, k in faces.items() if f[0] in "xyz"[: of.d]}
            domain = Domain(shape, faces_of(kinds, of.d))
            _, *whole = flow(SerialWorld(), fluid, domain, (1,) * of.d)
            for grid in grids(world.size, of.d):
                if any(n // parts < LEAST for n, parts in zip(shape, grid, strict=True)):
                    continue
                here, density, velocity, taken = flow(world, fluid, domain, grid, gpu)
                n_grids += 1
                label = f"rank {world.rank}, {name}, {faces}, {grid}"
                assert density.tobytes() == whole[0][here].tobytes(), label
                assert velocity.tobytes() == whole[1][here].tobytes(), label
                assert (world.sum(taken) == whole[2]).all() and np.abs(whole[2]).max() > 0, label
    say(world, f"{n_grids} flows on {world.size} ranks")


if __name__ == "__main__":
    launch(main)
