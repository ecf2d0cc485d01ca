"""Compute kernels: a class `Steps` for each kind of machine, all with the same methods, and what they take.

Populations lie in one flat array, a plane for each velocity. They are updated in place by the AA pattern: a step at
even parity collides each site and leaves h_i where h_opposite(i) was; a step at odd parity takes h_i from the
neighbour behind, collides, and pushes it to the neighbour ahead. Both touch each place from one site only, so sites
may come in any order, and only boundaries and halos need to know which parity it is. Tables have a row for each: [0]
after an even step ("crossed": what arrives at x along i lies at x - c_i in plane opposite(i)), [1] after an odd one
("straight": at x, i).

Source: P. Bailey et al., Proc. ICPP 2009, 550, doi:10.1109/ICPP.2009.38.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from runkit.mpi import Messages, World

VECTOR = 8  # sites of a vector; runs of sites are whole vectors


class Region(NamedTuple):
    """Sites as runs along the last axis: offset of the first site of each and number of vectors, int64 [n]."""

    start: np.ndarray
    n_vectors: np.ndarray


class Links(NamedTuple):
    """Walls: what arrives along a link is a sum of two populations and a constant, which the clock scales.

    Offsets int64 [2, n] by parity; factors [n]; `exchange` int8 [n, d] is the velocity of what leaves the fluid, for
    links of bodies whose force is measured, else zero, and `body` int32 [n] the number of the body. The first term is
    what left the fluid along the link.
    """

    target: np.ndarray
    first: np.ndarray
    second: np.ndarray
    a: np.ndarray
    b: np.ndarray
    constant: np.ndarray
    exchange: np.ndarray
    body: np.ndarray


class Kept(NamedTuple):
    """Sites that keep their mass at walls: what the links of site s, `start[s]:start[s + 1]`, give is what left there.

    Offsets int64: `rest` [n_sites] of the population at rest, `arrived` and `left` [2, n] of what comes back along each
    link and of what left the fluid there.
    """

    start: np.ndarray
    rest: np.ndarray
    arrived: np.ndarray
    left: np.ndarray


class Outlets(NamedTuple):
    """Open faces: sites, and their links of site s, `start[s]:start[s + 1]`. Offsets are int64, by parity.

    Of each site: where the populations lie that left it, and that arrived `here` [2, n_sites, q], -1 for those that
    enter through an open face; `inward` int64, how far the site further in is; `law` int64, the number of its kind of
    face (`lbmgen.boundaries.face.open_faces`), whose `parameters` [n_sites, n_parameters] are of the type of
    populations; `normal` [n_sites, d] and `share` [n_sites, 1 + d] in double precision (`lbmgen.kernels.open_faces`).
    Of each link: `target` and `inner` (a population inside to follow, which no link through an open face sets) [2, n],
    direction `i` int64 [n], and `memory` [n], what arrived last.
    """

    start: np.ndarray
    left: np.ndarray
    here: np.ndarray
    inward: np.ndarray
    law: np.ndarray
    parameters: np.ndarray
    normal: np.ndarray
    share: np.ndarray
    target: np.ndarray
    inner: np.ndarray
    i: np.ndarray
    memory: np.ndarray


class Copies(NamedTuple):
    """Periodic axes within a block: offsets to read and to write, by parity; int64 [n] each. None occurs in both."""

    source: tuple
    target: tuple


class Exchange(NamedTuple):
    """What a block sends and receives along one axis after a step of one parity.

    Offsets int64 [n] that are read, then sent, and that are written with what comes. Pieces of either are messages:
    (rank, tag, number of populations), in their order.
    """

    read: np.ndarray
    written: np.ndarray
    sends: list[tuple[int, int, int]]
    receives: list[tuple[int, int, int]]

    def messages(self, group: World, out: Any, back: Any) -> Messages:
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
    even: np.ndarray
    odd: np.ndarray
    both: np.ndarray


class Part(NamedTuple):
    """A block as kernels take it: flat populations, the numbers of its law, and tables of where they lie.

    `numbers` are the rates and the force in the type of populations, `force` [d] in double precision; `places` [2][q]
    by parity, where relative to a site a step reads; `rows` are all sites in their order; `copies` those of periodic
    axes that the block closes by itself; `solid` [*shape]; velocities `c` [q, d] and weights `w` [q]; the forces on
    `n_bodies` bodies are measured.
    """

    h: Any
    numbers: tuple
    force: np.ndarray
    places: tuple
    rows: Region
    program: Program
    copies: Copies
    exchanges: list[Exchange]
    links: Links
    kept: Kept
    outlets: Outlets
    solid: np.ndarray
    c: np.ndarray
    w: np.ndarray
    n_bodies: int


def _pieces(array: Any, parts: list[tuple[int, int, int]]) -> list[tuple[int, int, Any]]:
    ends = np.cumsum([0, *(n for _, _, n in parts)])
    return [(rank, tag, array[end - n : end]) for (rank, tag, n), end in zip(parts, ends[1:], strict=True)]


@cache
def steps_on(gpu: Any, lattice: Any, law: Any, forced: bool, dtype: str) -> Any:
    """The kernels for a lattice, a law and, if `forced`, a force density, on `gpu`, or on the CPU if it is None."""
    if gpu is None:
        from lbmgen.kernels import cpu

        return cpu.Steps(lattice, law, forced)
    from lbmgen.kernels import gpu as on_gpu

    return on_gpu.Steps(gpu, lattice, law, forced, dtype)
