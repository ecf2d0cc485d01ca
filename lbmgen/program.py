"""The order of work in a step of a block, written down before the first one: a table that every back end follows.

In a step all sites collide and stream, neighbours exchange halos, and boundaries set what comes back. Sites at faces
that are cut are swept first, all others while messages travel.

A block that no cache holds takes an even step and the odd one after it in one pass over its rows (along the first
axis), some of them, a band, at a time, for half the traffic: a band takes its odd step as soon as the bands beside it
have their even one and their boundaries, while all of that still lies in the cache. If the block is cut into slabs,
what the outermost bands send travels during the first half of the pass, and what they push over the faces during the
second.

Source: G. Wellein et al., Proc. COMPSAC 2009, 579, doi:10.1109/COMPSAC.2009.82 (wavefronts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from lbmgen.halo import awaited
from lbmgen.kernels import COPY, EVEN, KEEP, ODD, OUTLETS, RECEIVE, SEND, SWEEP, VECTOR, WALLS, Copies, Program, Region
from lbmgen.layout import STATES, STRAIGHT, Layout
from lbmgen.walls import Boundary
from runkit.arrays import I64

Range = tuple[int, int]
Item = tuple[int, int, int, int]


def program_of(layout: Layout, boundary: Boundary, copies: Copies, cut: Sequence[int], rows_together: int) -> Program:
    """The program of a block that has neighbours along the axes `cut`.

    With `rows_together` steps are done two by two, in bands of so many rows; 0: one by one, as blocks that are cut
    along other axes than the first need it.
    """
    work = _Work(layout, boundary, copies, cut)
    both: list[Item] = []
    if rows_together and list(cut) in ([], [0]):
        both = _Pass(layout, boundary, copies, work, rows_together).items
    programs = (np.array(items, np.int64).reshape(-1, 4) for items in (work.step(EVEN), work.step(ODD), both))
    return Program(work.region, *programs)


class _Work:
    """What there is to do in a block, as items of a program; `region` is what they sweep."""

    def __init__(self, layout: Layout, boundary: Boundary, copies: Copies, cut: Sequence[int]) -> None:
        self.n_cut = len(cut)
        shell, inner = _split(layout, cut)
        parts = [shell, *_slices(layout, inner, max(1, len(cut)))]
        self.region = _joined(parts)
        ends = np.cumsum([0, *(len(part.start) for part in parts)]).tolist()
        self._shell, *self._inner = pairwise(ends)
        self._n_awaited = [int(awaited(layout, copies.target[p], cut, p).sum()) for p in STATES]
        self._n_copies = [len(target) for target in copies.target]
        self._n_links, self._n_kept = len(boundary.links.a), len(boundary.kept.rest)
        self._n_sites = len(boundary.outlets.law)

    def early(self, parity: int) -> list[Item]:
        """The copies whose targets are sent, so that they have to come before the first message."""
        return [(COPY, parity, 0, self._n_awaited[parity])]

    def message(self, operation: int, parity: int, k: int = 0) -> list[Item]:
        """SEND or RECEIVE of the k-th exchange of a parity, where there is one."""
        number = parity * self.n_cut + k
        return [(operation, parity, number, number + 1)] if k < self.n_cut else []

    def last(self, parity: int) -> list[Item]:
        """The end of a step: all copies, early ones again, as messages may have changed what they read; boundaries."""
        ends = [(COPY, self._n_copies[parity]), (WALLS, self._n_links), (OUTLETS, self._n_sites)]
        # KEEP subtracts what WALLS have set. Open faces come last: they read what walls have set one site further in.
        ends[2:2] = [(KEEP, self._n_kept)] if self._n_kept else []
        return [(operation, parity, 0, end) for operation, end in ends]

    def step(self, parity: int) -> list[Item]:
        """A whole step."""
        items = [(SWEEP, parity, *self._shell), *self.early(parity)] if self.n_cut else []
        # An exchange along one axis sends ghosts that the one before has filled: so corners arrive. Exchanges therefore
        # go one after the other, and each has a slice of the inner sites to hide behind.
        for k, inner in enumerate(self._inner):
            items += self.message(SEND, parity, k)
            items.append((SWEEP, parity, *inner))
            items += self.message(RECEIVE, parity, k)
        return items + self.last(parity)


class _Pass:
    """An even and an odd step in one pass over bands.

    Each task adds the items of a parity and a band, after those tasks that it depends on, as late as possible: then a
    band is still in the cache when its odd step comes. The first and the last band depend on what comes from beyond
    them, so their tasks come last.
    """

    def __init__(self, layout: Layout, boundary: Boundary, copies: Copies, work: _Work, rows_together: int) -> None:
        self._work, self._n_bands = work, -(-layout.shape[0] // rows_together)
        # Open faces read what lies with the row further in, which an odd step of the row after that one overwrites.
        self._reach = 2 if rows_together == 1 and len(boundary.outlets.law) else 1

        def ranges(offset: I64) -> dict[int, list[Range]]:
            row = layout.site(offset)[:, 0]
            return _ranges(np.where(row < layout.shape[0], row // rows_together, self._n_bands))

        self._ranges = {
            SWEEP: [ranges(work.region.start)] * 2,
            COPY: [ranges(target) for target in copies.target],
            WALLS: [ranges(boundary.links.target[STRAIGHT])] * 2,
            KEEP: [ranges(boundary.kept.rest)] * 2,
            OUTLETS: [ranges(boundary.outlets.left[STRAIGHT, :, 0])] * 2,
        }
        self.items: list[Item] = []
        self._done: set[tuple[object, int, int]] = set()
        n = self._n_bands
        inner = range(2 + self._reach, n - 2 - self._reach)  # bands that need nothing from beyond
        if work.n_cut:
            # The outermost bands go first, and what they send travels during the first half of the pass. Their odd step
            # follows in the middle of it, so that what it pushes over the faces travels during the second half.
            self._do(self._copies, EVEN, (0, n - 1))
            self.items += work.message(SEND, EVEN)
            self._do(self._sweep, ODD, inner[: len(inner) // 2])
            self._do(self._sweep, ODD, (0, n - 1))
            self.items += [*work.early(ODD), *work.message(SEND, ODD)]
        self._do(self._outlets, ODD, inner)
        self._do(self._outlets, ODD, range(n))

    def _do(self, task: Callable[[int, int], None], parity: int, bands: Sequence[int]) -> None:
        """A task for these bands, where it has not been done."""
        for band in bands:
            if (task, parity, band) not in self._done:
                self._done.add((task, parity, band))
                task(parity, band)

    def _add(self, operation: int, parity: int, band: int) -> None:
        """An operation on one band, if the band has any of it."""
        self.items += [(operation, parity, *ends) for ends in self._ranges[operation][parity].get(band, ())]

    def _beside(self, band: int, reach: int = 1) -> range:
        return range(max(0, band - reach), min(self._n_bands, band + reach + 1))

    def _sweep(self, parity: int, band: int) -> None:
        """Collide and stream; an odd step overwrites what boundaries of the even one read, so these come before."""
        if parity == ODD:
            self._do(self._outlets, EVEN, self._beside(band, self._reach))
        self._add(SWEEP, parity, band)

    def _copies(self, parity: int, band: int) -> None:
        """After an even step into the ghosts of a band; after an odd one from there, where bands beside it push to."""
        if parity == EVEN:
            self._do(self._sweep, EVEN, (band,))
        else:
            self._do(self._sweep, ODD, self._beside(band))
            if band in (0, self._n_bands - 1):
                self._do(self._beyond, ODD, (0,))
        self._add(COPY, parity, band)

    def _beyond(self, parity: int, _: int) -> None:
        """Fetch what comes from beyond the first and the last band: from neighbours, or from the other end."""
        self._do(self._copies if parity == EVEN else self._sweep, parity, (0, self._n_bands - 1))
        self.items += self._work.message(RECEIVE, parity)
        self._add(COPY, parity, -1)
        self._add(COPY, parity, self._n_bands)

    def _walls(self, parity: int, band: int) -> None:
        """Set walls; they read populations that lie with the bands beside theirs."""
        self._do(self._copies, parity, self._beside(band))
        if band in (0, self._n_bands - 1):
            self._do(self._beyond, parity, (0,))
        self._add(WALLS, parity, band)
        self._add(KEEP, parity, band)

    def _outlets(self, parity: int, band: int) -> None:
        """Set open faces, which read what walls have set one site further in; a band without any has walls alone."""
        self._do(self._walls, parity, self._beside(band) if band in self._ranges[OUTLETS][parity] else (band,))
        self._add(OUTLETS, parity, band)


def _ranges(band: I64) -> dict[int, list[Range]]:
    """For each band where its entries begin and end."""
    result: dict[int, list[Range]] = {}
    first = np.flatnonzero(np.diff(band)) + 1
    for begin, end in pairwise([0, *first.tolist(), len(band)] if len(band) else []):
        result.setdefault(int(band[begin]), []).append((begin, end))
    return result


def _joined(parts: Sequence[Region]) -> Region:
    return Region(*(np.concatenate([getattr(part, name) for part in parts]) for name in Region._fields))


def _split(layout: Layout, cut: Sequence[int]) -> tuple[Region, tuple[Range, ...]]:
    """The outermost sites along the axes `cut`, and the bounds of all others."""
    bounds = [(0, n) for n in layout.shape]
    shell = [Region(*np.zeros((2, 0), np.int64))]
    for axis in cut:
        low, high = bounds[axis]
        width = VECTOR if axis == len(bounds) - 1 else 1
        first, last = min(low + width, high), max((high - 1) // width * width, min(low + width, high))
        for slab in ((low, first), (last, high)):
            shell.append(layout.region(*bounds[:axis], slab, *bounds[axis + 1 :]))
        bounds[axis] = (first, last)
    return _joined(shell), tuple(bounds)


def _slices(layout: Layout, bounds: Sequence[Range], n: int) -> list[Region]:
    """A box cut into `n` parts along the first axis."""
    (low, high), *rest = bounds
    ends = [low + (high - low) * k // n for k in range(n + 1)]
    return [layout.region((ends[k], ends[k + 1]), *rest) for k in range(n)]
