"""A block of sites with its populations: a whole domain, or a rank's part of one.

A step collides and streams all sites, exchanges halos with neighbours and sets the populations that boundaries send
back; then every fluid site holds what has arrived there. The program of a block fixes the order.
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lbmgen.collisions import Collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain
from lbmgen.equilibrium import Moments, equilibrium
from lbmgen.halo import exchanges, own_copies
from lbmgen.kernels import BlockData, Statistics, steps_on
from lbmgen.kernels.formulas import require_formulas
from lbmgen.lattices import Lattice
from lbmgen.layout import STATES, STRAIGHT, Layout
from lbmgen.program import program_of
from lbmgen.walls import Boundary
from runkit.arrays import F64, I64, Floats
from runkit.device import Gpu
from runkit.mpi import World


@dataclass(frozen=True)
class Fluid:
    """A fluid: lattice, collision law, relaxation time, force density [d] or None, and the type of populations.

    Raises UserError if kernels cannot be made of the formulas of the law, or of open faces.
    """

    lattice: Lattice
    law: Collision
    tau: float
    force: tuple[float, ...] | None = None
    dtype: str = "float32"

    def __post_init__(self) -> None:
        require_formulas(self.lattice, self.law, self.force is not None)

    def numbers(self) -> tuple[np.floating[Any], ...]:
        """What a site's collision needs, in the type of the populations."""
        return tuple(np.dtype(self.dtype).type(value) for value in (*self.law.rates(self.tau), *(self.force or ())))


class Block:
    """This rank's block of a domain that `group` shares, on `gpu` or, without one, on the CPU."""

    def __init__(
        self,
        fluid: Fluid,
        domain: Domain,
        decomposition: Decomposition,
        group: World,
        body: Body,
        gpu: Gpu | None = None,
    ) -> None:
        self.fluid, self.domain, self.solid, self.n_bodies = fluid, domain, body.inner, body.n_bodies
        self.origin, self.shape = decomposition.block(group.rank)
        self.layout = Layout(fluid.lattice, self.shape, fluid.dtype)
        self.boundary = Boundary(self.layout, domain, self.origin, body)
        self.state = STRAIGHT
        self.steps = steps_on(gpu, fluid.lattice, fluid.law, fluid.force is not None, fluid.dtype)
        self._group, self._tables = group, self._data(decomposition, group.rank)

    @cached_property
    def loaded(self) -> object:
        """The block in the memory of its kernels, loaded at the first use: until then it needs the host alone."""
        loaded = self.steps.load(self._tables, self._group)
        del self._tables
        return loaded

    def _data(self, decomposition: Decomposition, rank: int) -> BlockData:
        fluid, layout, periodic, cut = self.fluid, self.layout, self.domain.periodic, decomposition.cut
        copies = own_copies(layout, [int(axis) for axis in np.flatnonzero(periodic) if axis not in cut], cut)
        h = layout.allocate()
        return BlockData(
            h=h,
            numbers=fluid.numbers(),
            force=np.array(fluid.force or (), np.float64),
            places=layout.places(),
            rows=layout.region(*((0, n) for n in self.shape)),
            program=program_of(layout, self.boundary, copies, cut, self.steps.rows_together(layout)),
            copies=copies,
            exchanges=[each for state in STATES for each in exchanges(layout, decomposition, rank, periodic, state)],
            links=self.boundary.links,
            kept=self.boundary.kept,
            outlets=self.boundary.outlets,
            solid=np.ascontiguousarray(self.solid),
            c=np.array(fluid.lattice.c, np.int64),
            w=np.array(fluid.lattice.w),
            n_bodies=self.n_bodies,
        )

    def start(self, rho: F64, u: F64) -> None:
        """Set the equilibrium of density [*shape] and velocity [*shape, d]; solid sites are at rest.

        Axes along which neither changes may have length 1.
        """
        velocity = list(np.moveaxis(np.asarray(u, np.float64), -1, 0))
        moving = _populations(self.fluid.lattice, np.asarray(rho, np.float64) - 1.0, velocity)
        one = np.zeros((1,) * len(self.shape))
        rest = _populations(self.fluid.lattice, one, [one] * len(self.shape))
        self.restore(np.where(self.solid, rest, moving))

    def restore(self, arrived: Floats) -> None:
        """Set the populations that have arrived at each site, [q, *shape]."""
        self.state = STRAIGHT
        h = self.steps.populations(self.loaded)
        for i, values in enumerate(arrived):
            self.layout.arrived(h, i, STRAIGHT)[...] = values
        self.steps.restore(self.loaded, h, STRAIGHT)

    def arrived(self) -> Floats:
        """The populations that have arrived at each site, [q, *shape]: the whole state of the flow."""
        h = self.steps.populations(self.loaded)
        return np.stack([self.layout.arrived(h, i, self.state) for i in range(self.fluid.lattice.q)])

    def advance(self, scale: Sequence[float] | F64) -> I64:
        """Take as many steps as `scale` has values, which multiply the velocities of walls.

        Returns the impulse on each body at each step from the links of this block, int64 [n_steps, n_bodies, d + 1]:
        the momentum in quanta, then the number of links that blew up (see `lbmgen.forces`).
        """
        return advance([self], np.asarray(scale, np.float64)[None])[0]

    def moments(self) -> tuple[F64, F64]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        return self.steps.moments(self.loaded, self.state)

    def free(self) -> None:
        """Give messages back to MPI; the block takes no more steps."""
        self.steps.free(self.loaded)


def advance(blocks: Sequence[Block], scales: F64) -> list[I64]:
    """The impulse on the bodies of each block, as `Block.advance` returns it, after the steps of several blocks.

    `scales` [n_blocks, n_steps] multiply the velocities of walls. On a GPU blocks that are alike take their steps
    together; blocks with neighbours go one at a time, since groups of ranks agree on no order of several.
    """
    impulses: dict[int, I64] = {}
    for members in _alike(blocks):
        first = blocks[members[0]]
        found = first.steps.advance([blocks[k].loaded for k in members], 1 - first.state, scales[members])
        impulses.update(zip(members, found, strict=True))
    for block in blocks:
        block.state = (block.state + scales.shape[1]) % 2
    return [impulses[k] for k in range(len(blocks))]


def statistics(blocks: Sequence[Block], width: int | None) -> list[Statistics]:
    """The statistics of several blocks: with `width` means over cells of so many sites, else extremes alone."""
    result: dict[int, Statistics] = {}
    for members in _alike(blocks):
        first = blocks[members[0]]
        found = first.steps.statistics([blocks[k].loaded for k in members], first.state, width)
        result.update(zip(members, found, strict=True))
    return [result[k] for k in range(len(blocks))]


def _alike(blocks: Sequence[Block]) -> list[list[int]]:
    """Numbers of blocks that can take a step together."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for k, block in enumerate(blocks):
        kind = (id(block.steps), block.shape, block.domain.periodic, block.n_bodies, block.state)
        groups.setdefault(kind, []).append(k)
    return list(groups.values())


def _populations(lattice: Lattice, excess: F64, velocity: list[F64]) -> F64:
    """Second-order equilibrium [q, …] of excess density and velocity."""
    of = Moments(excess, [(1.0 + excess) * u for u in velocity], 1.0 / (1.0 + excess))
    rest, pairs = equilibrium(lattice, of)
    result = [rest]
    for pair in pairs:
        result += [pair.even + pair.odd, pair.even - pair.odd]
    return np.stack(result)
