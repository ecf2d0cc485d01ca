"""Blocks of unlike flows, for comparisons of one machine with another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lbmgen.api import faces_of
from lbmgen.block import Block, Fluid, statistics
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Domain, body_of
from lbmgen.lattices import lattice
from runkit.mpi import SerialWorld

INLET = {"kind": "velocity", "velocity": 0.05, "profile": "parabolic"}
FACES = {
    "periodic": "periodic",
    "outlets that meet": {"x_low": INLET, "x_high": "convective", "y_low": "pressure", "y_high": "convective"},
    "mirrors": {"x_low": "pressure", "x_high": "no-slip", "y": "free-slip"},
    "a channel": {"x": "periodic", "y_low": "no-slip", "y_high": {"kind": "free-slip"}},
}
SHAPES = {"D2Q9": (12, 18), "D3Q19": (6, 8, 10), "D3Q27": (6, 4, 10)}  # sites; cells of two sites fit in


@dataclass(frozen=True)
class Setting:
    """What flows around a cylinder of `radius` in a box, from noise."""

    lattice: str = "D2Q9"
    law: str = "bgk"
    dtype: str = "float32"
    force: tuple[float, ...] | None = None
    faces: Any = "periodic"
    tau: float = 0.6
    radius: float = 2.2
    shape: tuple[int, ...] = ()

    def block(self, gpu: Any = None) -> Block:
        """It, on a GPU or on the CPU."""
        of, shape = lattice(self.lattice), self.shape or SHAPES[self.lattice]
        domain, center = Domain(shape, faces_of(self.faces, of.d)), np.array(shape) / 2 + 0.3
        body = body_of(self._distance(center), (0,) * of.d, shape, domain)
        fluid = Fluid(of, collision.build(self.law), self.tau, self.force and self.force[: of.d], self.dtype)
        block = Block(fluid, domain, Decomposition(shape, (1,) * of.d), SerialWorld(), body, gpu)
        random = np.random.default_rng(1)
        block.start(1 + 0.01 * random.normal(size=shape), 0.03 * random.normal(size=(*shape, of.d)))
        return block

    def _distance(self, center: np.ndarray):
        return lambda places: np.hypot(*np.moveaxis(places - center, -1, 0)[:2]) - self.radius


def ramp(n_steps: int) -> np.ndarray:
    """An inlet that comes up to speed."""
    return np.linspace(0.2, 1.0, n_steps)


def assert_same_bits(ours: Block, theirs: Block) -> None:
    """All that the future depends on, and all that is seen."""
    assert ours.arrived().tobytes() == theirs.arrived().tobytes()
    assert [a.tobytes() for a in ours.moments()] == [a.tobytes() for a in theirs.moments()]
    (mine,), (other,) = statistics([ours], 2), statistics([theirs], 2)
    assert mine.excess is not None and mine.velocity is not None
    assert other.excess is not None and other.velocity is not None
    alone = statistics([ours], None)[0]
    assert mine[:2] == other[:2] == alone[:2]
    assert (mine.excess.tobytes(), mine.velocity.tobytes()) == (other.excess.tobytes(), other.velocity.tobytes())


def assert_same_flow(setting: Setting, gpu: Any, n_steps: int = 5) -> None:
    """Populations, moments, cells and forces of a flow have the same bits on a GPU as on the CPU."""
    ours, theirs = setting.block(gpu), setting.block()
    taken = [block.advance(ramp(n_steps)) for block in (ours, theirs)]
    np.testing.assert_array_equal(taken[0], taken[1])
    assert np.abs(taken[1]).max() > 0
    assert_same_bits(ours, theirs)
