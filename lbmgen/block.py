"""A block of sites with its populations: a whole domain, or a rank's part of one.

A step collides and streams all sites, then exchanges with neighbours, then sets what comes back from boundaries; after
it, every fluid site holds what has arrived there. The order of all this is the block's program.
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from lbmgen.collisions import Collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain
from lbmgen.equilibrium import Moments, equilibrium
from lbmgen.halo import exchanges, own_copies
from lbmgen.kernels import Part, steps_on
from lbmgen.lattices import Lattice
from lbmgen.layout import STATES, STRAIGHT, Layout
from lbmgen.program import program_of
from lbmgen.walls import Boundary
from runkit.arrays import F64, I64, Floats
from runkit.device import Gpu
from runkit.mpi import World


@dataclass(frozen=True)
class Fluid:
    """What flows: lattice, collision law, relaxation time, force density [d] or None, and the type of populations."""

    lattice: Lattice
    law: Collision
    tau: float
    force: tuple[float, ...] | None = None
    dtype: str = "float32"

    def numbers(self) -> tuple[np.floating[Any], ...]:
        """What a site's collision needs, in the type of the populations."""
        return tuple(np.dtype(self.dtype).type(value) for value in (*self.law.rates(self.tau), *(self.force or ())))


class Look(NamedTuple):
    """Largest speed and |density - 1| of a site, infinite or not a number if one is; means over cells of density - 1
    and velocity."""

    fastest: float
    deviation: float
    excess: F64 | None
    velocity: F64 | None


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
        self._group, self._tables = group, self._part(decomposition, group.rank)

    @cached_property
    def part(self) -> Any:
        """The block where its kernels run, brought there when it is first asked for: until then all is on the host."""
        part = self.steps.place(self._tables, self._group)
        del self._tables
        return part

    def _part(self, decomposition: Decomposition, rank: int) -> Part:
        fluid, layout, periodic, cut = self.fluid, self.layout, self.domain.periodic, decomposition.cut
        copies = own_copies(layout, [int(axis) for axis in np.flatnonzero(periodic) if axis not in cut], cut)
        h = layout.allocate()
        return Part(
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
        """Equilibrium of density [*shape] and velocity [*shape, d]; solid sites are at rest.

        Axes along which neither changes may have length 1.
        """
        velocity = list(np.moveaxis(np.asarray(u, np.float64), -1, 0))
        moving = _populations(self.fluid.lattice, np.asarray(rho, np.float64) - 1.0, velocity)
        one = np.zeros((1,) * len(self.shape))
        rest = _populations(self.fluid.lattice, one, [one] * len(self.shape))
        self.restore(np.where(self.solid, rest, moving))

    def restore(self, arrived: Floats) -> None:
        """Set what has arrived at each site, [q, *shape]."""
        self.state = STRAIGHT
        h = self.steps.populations(self.part)
        for i, values in enumerate(arrived):
            self.layout.arrived(h, i, STRAIGHT)[...] = values
        self.steps.restore(self.part, h, STRAIGHT)

    def arrived(self) -> Floats:
        """What has arrived at each site, [q, *shape]: all that the future depends on."""
        h = self.steps.populations(self.part)
        return np.stack([self.layout.arrived(h, i, self.state) for i in range(self.fluid.lattice.q)])

    def advance(self, clock: Sequence[float] | F64) -> I64:
        """As many steps as `clock` has values, which scale the motion of walls.

        Returns the momentum that this block's bodies have taken at each step, int64 [n_steps, n_bodies, d + 1], as
        `lbmgen.forces` takes it.
        """
        return advance([self], np.asarray(clock, np.float64)[None])[0]

    def moments(self) -> tuple[F64, F64]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        return self.steps.moments(self.part, self.state)

    def free(self) -> None:
        """Give messages back to MPI; the block takes no more steps."""
        self.steps.free(self.part)


def advance(blocks: Sequence[Block], clocks: F64) -> list[I64]:
    """The steps of several blocks, on a GPU together where they are alike; `clocks` [n_blocks, n_steps].

    Of blocks with neighbours one at a time: groups of ranks agree on no order of several.
    Returns what `Block.advance` does, of each.
    """
    taken: dict[int, I64] = {}
    for members in _alike(blocks):
        first = blocks[members[0]]
        tallies = first.steps.march([blocks[k].part for k in members], 1 - first.state, clocks[members])
        for k, tally in zip(members, tallies, strict=True):
            taken[k] = tally
    for block in blocks:
        block.state = (block.state + clocks.shape[1]) % 2
    return [taken[k] for k in range(len(blocks))]


def look(blocks: Sequence[Block], width: int | None) -> list[Look]:
    """What is seen of several blocks; without `width`, the largest speed and deviation of density alone."""
    seen: dict[int, Look] = {}
    for members in _alike(blocks):
        first = blocks[members[0]]
        found = first.steps.look([blocks[k].part for k in members], first.state, width)
        for k, one in zip(members, found, strict=True):
            seen[k] = Look(*one)
    return [seen[k] for k in range(len(blocks))]


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
