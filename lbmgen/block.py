"""A block of sites with its populations: a whole domain, or a rank's part of one.

A step collides and streams all sites, then exchanges with neighbours, then sets what comes back from boundaries; after
it, every fluid site holds what has arrived there. Blocks with neighbours do their outermost sites first and the rest
while messages travel.
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain
from lbmgen.equilibrium import Moments, equilibrium
from lbmgen.halo import exchanges, own_copies
from lbmgen.kernels import Region
from lbmgen.lattices import Lattice
from lbmgen.layout import STRAIGHT, VECTOR, Layout
from lbmgen.rows import in_one_pass
from lbmgen.walls import Boundary
from runkit.mpi import World

Bounds = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Fluid:
    """What flows: lattice, collision law, relaxation time, force density [d] or None, and the type of populations."""

    lattice: Lattice
    law: object
    tau: float
    force: tuple[float, ...] | None = None
    dtype: str = "float32"

    def numbers(self) -> tuple:
        """What a site's collision needs, in the type of the populations."""
        return tuple(np.dtype(self.dtype).type(value) for value in (*self.law.rates(self.tau), *(self.force or ())))


def _kernels():
    from lbmgen.kernels import cpu

    return cpu


class Block:
    """This rank's block of a domain that `group` shares."""

    def __init__(self, fluid: Fluid, domain: Domain, decomposition: Decomposition, group: World, body: Body) -> None:
        self.fluid, self.domain, self.kernels = fluid, domain, _kernels()
        self.origin, self.shape = decomposition.block(group.rank)
        self.solid = body.inner
        self.layout = Layout(fluid.lattice, self.shape, fluid.dtype)
        self.h = self.layout.allocate()
        self.boundary = Boundary(self.layout, domain, self.origin, body)
        self.state = STRAIGHT
        self._is_alone = decomposition.n_blocks == 1
        self._places, self._numbers = self.layout.places(), fluid.numbers()
        self._c = np.array(fluid.lattice.c, np.int64)
        self._w = np.array(fluid.lattice.w)
        forced = fluid.force is not None
        if self._is_alone:
            self._region = self.layout.region(*((0, n) for n in self.shape))
            periodic = [axis for axis, is_periodic in enumerate(domain.periodic) if is_periodic]
            self._copies = own_copies(self.layout, periodic)
            tables = self._copies, self.boundary.links, self.boundary.outlets
            self._rows = in_one_pass(self.layout, self._region, *tables)
            self._march = self.kernels.make_march(fluid.lattice, fluid.law, forced)
        else:
            self._exchanges = exchanges(self.layout, decomposition, domain.periodic, group)
            self._sweep = self.kernels.make_sweep(fluid.lattice, fluid.law, forced)
            axes = zip(decomposition.grid, domain.periodic, strict=True)
            self._shell, inner = _split(self.layout, [n > 1 or is_periodic for n, is_periodic in axes])
            self._inner = [_slices(self.layout, inner, len(parts)) for parts in self._exchanges]

    def start(self, rho: np.ndarray, u: np.ndarray) -> None:
        """Equilibrium of density [*shape] and velocity [*shape, d]; solid sites are at rest."""
        excess = np.where(self.solid, 0.0, np.asarray(rho, np.float64) - 1.0)
        velocity = [np.where(self.solid, 0.0, np.asarray(u, np.float64)[..., a]) for a in range(len(self.shape))]
        self.restore(_populations(self.fluid.lattice, excess, velocity))

    def restore(self, arrived: np.ndarray) -> None:
        """Set what has arrived at each site, [q, *shape]."""
        self.state = STRAIGHT
        for i, values in enumerate(arrived):
            self.layout.arrived(self.h, i, STRAIGHT)[...] = values
        faces = self.boundary.outlets
        faces.memory[:] = self.h[faces.target[STRAIGHT]]

    def arrived(self) -> np.ndarray:
        """What has arrived at each site, [q, *shape]: all that the future depends on."""
        return np.stack([self.layout.arrived(self.h, i, self.state) for i in range(self.fluid.lattice.q)])

    def advance(self, clock: Sequence[float]) -> np.ndarray:
        """As many steps as `clock` has values, which scale the motion of walls.

        Returns the momentum that this block's bodies have taken at each step, int64 [n_steps, d], in units of
        1 / `kernels.UNIT`, without what the rest populations give.
        """
        clock = np.asarray(clock, np.float64)
        tally = np.zeros((len(clock), len(self.shape)), np.int64)
        if self._is_alone:
            faces = self.boundary.links, self.boundary.outlets, self._c, self._w
            first = 1 - self.state
            where = self._region, self._rows, self._places
            self._march(self.h, first, *where, self._numbers, self._copies, *faces, clock, tally)
            self.state = (first + len(clock) - 1) % 2 if len(clock) else self.state
            return tally
        for scale, taken in zip(clock, tally, strict=True):
            self._step(scale, taken)
        return tally

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        rows = self.layout.region(*((0, n) for n in self.shape)).start
        arrival = np.array([self.layout.arrival(i, self.state) for i in range(self.fluid.lattice.q)])
        density = np.zeros((len(rows), self.shape[-1]))
        momentum = np.zeros((len(self.shape), *density.shape))
        self.kernels.totals(self.h, rows, arrival, self._c, density, momentum)
        density = np.where(self.solid, 0.0, density.reshape(self.shape)) + 1.0
        momentum = momentum.reshape(-1, *self.shape)
        for axis, push in enumerate(self.fluid.force or ()):
            momentum[axis] += 0.5 * push
        return density, np.moveaxis(np.where(self.solid, 0.0, momentum / density), 0, -1)

    def free(self) -> None:
        """Give messages back to MPI; the block takes no more steps."""
        for exchange in () if self._is_alone else (*self._exchanges[0], *self._exchanges[1]):
            exchange.free()

    def _step(self, scale: float, taken: np.ndarray) -> None:
        state = 1 - self.state
        how = self._places[state], self._numbers
        self._sweep(self.h, self._shell, *how)
        parts = self._inner[state]
        for exchange, part in zip(self._exchanges[state], parts, strict=True):
            exchange.start(self.kernels, self.h)
            self._sweep(self.h, part, *how)
            exchange.finish(self.kernels, self.h)
        # A call costs as much as hundreds of sites.
        if self.boundary.links.a.size:
            self.kernels.walls(self.h, self.boundary.links, state, scale, taken)
        if self.boundary.outlets.i.size:
            self.kernels.outlets(self.h, self.boundary.outlets, state, self._c, self._w)
        self.state = state


def _populations(lattice: Lattice, excess: np.ndarray, velocity: list[np.ndarray]) -> np.ndarray:
    """Second-order equilibrium [q, …] of excess density and velocity."""
    of = Moments(excess, [(1.0 + excess) * u for u in velocity], 1.0 / (1.0 + excess))
    rest, pairs = equilibrium(lattice, of)
    result = [rest]
    for pair in pairs:
        result += [pair.even + pair.odd, pair.even - pair.odd]
    return np.stack(result)


def _split(layout: Layout, exchanged: Sequence[bool]) -> tuple[Region, Bounds]:
    """The outermost sites along the axes that are `exchanged`, and the bounds of all others."""
    bounds = [(0, n) for n in layout.shape]
    shell = []
    for axis in np.flatnonzero(exchanged):
        low, high = bounds[axis]
        width = VECTOR if axis == len(exchanged) - 1 else 1
        first, last = min(low + width, high), max((high - 1) // width * width, min(low + width, high))
        for slab in ((low, first), (last, high)):
            shell.append(layout.region(*bounds[:axis], slab, *bounds[axis + 1 :]))
        bounds[axis] = (first, last)
    return Region(*(np.concatenate([getattr(part, name) for part in shell]) for name in Region._fields)), tuple(bounds)


def _slices(layout: Layout, bounds: Bounds, n: int) -> list[Region]:
    """A box cut into `n` parts along the first axis."""
    (low, high), *rest = bounds
    ends = [low + (high - low) * k // n for k in range(n + 1)]
    return [layout.region((ends[k], ends[k + 1]), *rest) for k in range(n)]
