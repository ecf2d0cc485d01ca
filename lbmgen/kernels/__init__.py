"""Compute kernels: their arguments, and the protocol between `Block` and a back end (`Steps`).

Populations lie in one flat array, a plane for each velocity. They are updated in place by the AA pattern: a step at
even parity collides each site and leaves h_i where h_opposite(i) was; a step at odd parity takes h_i from the
neighbour behind, collides, and pushes it to the neighbour ahead. Both touch each place from one site only, so sites
may come in any order, and only boundaries and halos depend on the parity. Tables have a row for each: [0]
after an even step ("crossed": what arrives at x along i lies at x - c_i in plane opposite(i)), [1] after an odd one
("straight": at x, i).

Source: P. Bailey et al., Proc. ICPP 2009, 550, doi:10.1109/ICPP.2009.38.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from lbmgen.collisions import Collision
from lbmgen.lattices import Lattice
from runkit.arrays import F64, I32, I64, Array, Bools, Floats
from runkit.device import DeviceArray, Gpu
from runkit.mpi import Messages, World

VECTOR = 8  # sites of a vector; runs of sites are whole vectors


class Region(NamedTuple):
    """Sites as runs along the last axis: offset of the first site of each and number of vectors, int64 [n]."""

    start: I64
    n_vectors: I64


class Links(NamedTuple):
    """Walls: what arrives along a link is a sum of two populations and a constant, scaled at each step.

    Offsets int64 [2, n] by parity; factors [n]; `exchange` int8 [n, d] is the velocity of what leaves the fluid, for
    links of bodies whose force is measured, else zero, and `body` int32 [n] the number of the body. The first term is
    what left the fluid along the link.
    """

    target: I64
    first: I64
    second: I64
    a: Floats
    b: Floats
    constant: Floats
    exchange: NDArray[np.int8]
    body: I32


class Kept(NamedTuple):
    """Sites that keep their mass at walls: what the links of site s, `start[s]:start[s + 1]`, give is what left there.

    Offsets int64: `rest` [n_sites] of the population at rest, `arrived` and `left` [2, n] of what comes back along each
    link and of what left the fluid there.
    """

    start: I64
    rest: I64
    arrived: I64
    left: I64


class Outlets(NamedTuple):
    """Open faces: sites, and their links of site s, `start[s]:start[s + 1]`. Offsets are int64, by parity.

    Of each site: where the populations lie that left it, and that arrived `here` [2, n_sites, q], -1 for those that
    enter through an open face; `inward` int64, how far the site further in is; `law` int64, the number of its kind of
    face (`lbmgen.boundaries.face.open_faces`), whose `parameters` [n_sites, n_parameters] are of the type of
    populations; `normal` [n_sites, d] and `share` [n_sites, 1 + d] in double precision (`lbmgen.kernels.open_faces`).
    Of each link: `target` and `inner` (a population inside to follow, which no link through an open face sets) [2, n],
    direction `i` int64 [n], and `memory` [n], what arrived last.
    """

    start: I64
    left: I64
    here: I64
    inward: I64
    law: I64
    parameters: Floats
    normal: F64
    share: F64
    target: I64
    inner: I64
    i: I64
    memory: Floats


class Copies(NamedTuple):
    """Periodic axes within a block: offsets to read and to write, by parity; int64 [n] each. None occurs in both."""

    source: tuple[I64, I64]
    target: tuple[I64, I64]


class Exchange(NamedTuple):
    """What a block sends and receives along one axis after a step of one parity.

    Offsets int64 [n] that are read, then sent, and that are written with what comes. Pieces of either are messages:
    (rank, tag, number of populations), in their order.
    """

    read: I64
    written: I64
    sends: list[tuple[int, int, int]]
    receives: list[tuple[int, int, int]]

    def messages(self, group: World, out: Array | DeviceArray, back: Array | DeviceArray) -> Messages:
        """The messages, as pieces of the arrays `out` and `back`, between the ranks of `group`."""
        return Messages(group, _pieces(out, self.sends), _pieces(back, self.receives))


EVEN, ODD = 0, 1  # parities of steps, which number the rows of tables
SWEEP, COPY, WALLS, KEEP, OUTLETS, SEND, RECEIVE = range(7)


class Program(NamedTuple):
    """What a block does in a step, one item after the other: int64 [n, 4], (operation, parity, begin, end).

    `even` and `odd` are single steps, which set all walls and outlets at once; `both` is an even step and the odd one
    after it together, empty where they go one by one. From `begin` to `end` are runs of `region` to collide and stream;
    entries of `Copies`, `Links`, sites of `Kept` and of `Outlets`; exchanges that pack and send, or wait and unpack.
    """

    region: Region
    even: I64
    odd: I64
    both: I64


class BlockData(NamedTuple):
    """A block as kernels take it: flat populations, the numbers of its law, and tables of where they lie.

    `numbers` are the rates and the force in the type of populations, `force` [d] in double precision; `places` [2][q]
    by parity, where relative to a site a step reads; `rows` are all sites in their order; `copies` those of periodic
    axes that the block closes by itself; `solid` [*shape]; velocities `c` [q, d] and weights `w` [q]; the forces on
    `n_bodies` bodies are measured.
    """

    h: Floats
    numbers: tuple[np.floating[Any], ...]
    force: F64
    places: tuple[tuple[int, ...], ...]
    rows: Region
    program: Program
    copies: Copies
    exchanges: list[Exchange]
    links: Links
    kept: Kept
    outlets: Outlets
    solid: Bools
    c: I64
    w: F64
    n_bodies: int


def _pieces(
    array: Array | DeviceArray, parts: list[tuple[int, int, int]]
) -> list[tuple[int, int, Array | DeviceArray]]:
    ends = np.cumsum([0, *(n for _, _, n in parts)])
    return [(rank, tag, array[end - n : end]) for (rank, tag, n), end in zip(parts, ends[1:], strict=True)]


class Grid(Protocol):
    """How a block lies in memory: `strides` [d] of its axes, counted in populations of type `dtype`."""

    @property
    def lattice(self) -> Lattice: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def strides(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...


Loaded = TypeVar("Loaded")


class Statistics(NamedTuple):
    """Largest speed and |density - 1| of a site, infinite or not a number if one is; means over cells of density - 1
    and of velocity [..., d], or None where they were not computed."""

    fastest: float
    deviation: float
    excess: F64 | None
    velocity: F64 | None


class Steps(Protocol[Loaded]):
    """A back end: steps of blocks with one lattice, law and type of populations.

    All back ends give the same bits. A block is given as its `BlockData`; the other methods take what `load` has made
    of it, where the kernels run. A step of parity EVEN leaves populations crossed, one of parity ODD straight: that is
    the `state` of a block. Raises UserError if the memory of its machine does not suffice.
    """

    def rows_together(self, grid: Grid, /) -> int:
        """Rows of a band, where two steps in one pass over bands are faster than one by one, else 0."""

    def load(self, data: BlockData, group: World, /) -> Loaded:
        """Bring a block to where kernels reach it; its neighbours are among the ranks of `group`."""

    def free(self, block: Loaded, /) -> None:
        """Give back what it holds of the machine and of MPI: it takes no more steps."""

    def populations(self, block: Loaded, /) -> Floats:
        """Its flat populations, for reading or, followed by `restore`, for writing."""

    def restore(self, block: Loaded, h: Floats, state: int, /) -> None:
        """Set populations, which lie as after a step of parity `state`, and with them the memory of open faces."""

    def advance(self, blocks: Sequence[Loaded], parity: int, scales: F64, /) -> I64:
        """Steps of alike blocks, the first of `parity`; `scales` [n_blocks, n_steps] multiply the velocities of walls.

        Returns the impulse on each body, int64 [n_blocks, n_steps, n_bodies, d + 1] (see `lbmgen.forces`).
        """

    def moments(self, block: Loaded, state: int, /) -> tuple[F64, F64]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""

    def statistics(self, blocks: Sequence[Loaded], state: int, width: int | None, /) -> list[Statistics]:
        """The statistics of each block; means over cells of `width` sites, if it is not None."""


@cache
def steps_on(gpu: Gpu | None, lattice: Lattice, law: Collision, forced: bool, dtype: str) -> Steps[object]:
    """The kernels for a lattice, a law and, if `forced`, a force density, on `gpu`, or on the CPU if it is None.

    What they load is an object for everybody else: it is handed back to them, and nobody looks into it.
    """
    if gpu is None:
        from lbmgen.kernels import cpu

        return _sealed(cpu.Steps(lattice, law, forced))
    from lbmgen.kernels import gpu as on_gpu

    return _sealed(on_gpu.Steps(gpu, lattice, law, forced, dtype))


def _sealed(steps: Steps[Loaded]) -> Steps[object]:
    return cast("Steps[object]", steps)
