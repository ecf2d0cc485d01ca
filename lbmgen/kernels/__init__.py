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

VECTOR = 8  # sites of a vector; runs of sites are whole vectors


class Region(NamedTuple):
    """Sites as runs along the last axis: offset of the first site of each and number of vectors, int64 [n]."""

    start: np.ndarray
    n_vectors: np.ndarray


class Links(NamedTuple):
    """Walls: what arrives along a link is a sum of two populations and a constant, which the clock scales.

    Offsets int64 [2, n] by parity; factors [n]; `exchange` int8 [n, d] is the velocity of what leaves the fluid, for
    links of bodies whose force is measured, else zero. The first term is what left the fluid along the link.
    """

    target: np.ndarray
    first: np.ndarray
    second: np.ndarray
    a: np.ndarray
    b: np.ndarray
    constant: np.ndarray
    exchange: np.ndarray


class Outlets(NamedTuple):
    """Open faces: sites, and their links of site s, `start[s]:start[s + 1]`.

    `left` int64 [2, n_sites, q] is where the populations lie that left the site; for each link `target` and `inner`
    (the same population one site further in, where no link through an open face arrives) int64 [2, n], direction `i`
    int64 [n], and `memory` [n], what arrived last. For each site `law`: 0 pressure, 1 convective; `density`, `speed`.
    """

    start: np.ndarray
    left: np.ndarray
    target: np.ndarray
    inner: np.ndarray
    i: np.ndarray
    memory: np.ndarray
    law: np.ndarray
    density: np.ndarray
    speed: np.ndarray


class Copies(NamedTuple):
    """Periodic axes within a block: offsets that are read and written, by parity; int64 [n] each. None is both."""

    source: tuple
    target: tuple


class Rows(NamedTuple):
    """How a block takes an even step and the odd one after it in one pass over its rows (along the first axis).

    `order` int64 [2 * n_rows, 2] are rows and whether it is their odd step; empty where steps go one by one. `region`,
    `links`, `outlets` int64 [n_rows + 1]: where a row begins in a `Region`, in `Links` and in the sites of `Outlets`.
    After item k of the order come the copies `source[copies[k]:copies[k + 1]]`, int64 [2 * n_rows + 1].
    """

    order: np.ndarray
    region: np.ndarray
    links: np.ndarray
    outlets: np.ndarray
    copies: np.ndarray
    source: np.ndarray
    target: np.ndarray


class Part(NamedTuple):
    """A block as kernels take it: flat populations, the numbers of its law, and tables of where they lie.

    `numbers` are the rates and the force in the type of populations, `force` [d] in double precision; `places` [2][q]
    by parity, where relative to a site a step reads; `region` are all sites, in `rows`; `copies` those of periodic axes
    that the block closes by itself; `solid` [*shape]; velocities `c` [q, d] and weights `w` [q].
    """

    h: Any
    numbers: tuple
    force: np.ndarray
    places: tuple
    region: Region
    rows: Rows
    copies: Copies
    links: Links
    outlets: Outlets
    solid: np.ndarray
    c: np.ndarray
    w: np.ndarray


@cache
def steps_on(gpu: Any, lattice: Any, law: Any, forced: bool, dtype: str) -> Any:
    """The kernels for a lattice, a law and, if `forced`, a force density, on `gpu`, or on the CPU if it is None."""
    if gpu is None:
        from lbmgen.kernels.cpu import Steps

        return Steps(lattice, law, forced)
    from lbmgen.kernels.gpu import Steps

    return Steps(gpu, lattice, law, forced, dtype)
