"""Halo of a block: what it exchanges after a step with its neighbours, or with itself along axes that it spans.

After an even step each block needs, in its ghosts, what left its neighbours' outermost sites; after an odd one it has
pushed into its ghosts what belongs to its neighbours. The same places are filled in the first case and emptied in the
second. Axes that are cut go one after the other, each with the ghosts of the others, which brings corners along; the
second case goes through them in reverse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lbmgen.decomposition import Decomposition
from lbmgen.kernels import Copies, Exchange
from lbmgen.layout import CROSSED, STATES, STRAIGHT, Layout
from runkit.arrays import I64, Bools

SIDES = (-1, 1)


def crossing(layout: Layout, axis: int, side: int, ghost: bool) -> I64:
    """Offsets of the populations that move to `side` through the faces of an axis.

    With `ghost` those in the ghosts beyond the face at `side`; without, those in the outermost sites at the other side,
    which are ghosts of the neighbour there.
    """
    n = layout.shape[axis]
    ranges = [np.arange(-1, m + 1) for m in layout.shape]
    outermost = n if side > 0 else -1
    ranges[axis] = np.array([outermost if ghost else outermost - side * n])
    site = layout.offset(np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)).ravel()
    planes = [i * layout.plane for i in range(layout.lattice.q) if layout.lattice.c[i][axis] == side]
    return (np.array(planes, np.int64)[:, None] + site).ravel()


def through(layout: Layout, axis: int, side: int, state: int) -> tuple[I64, I64]:
    """(offsets read, offsets written) when populations that move to `side` are brought where they are needed."""
    inside, outside = (crossing(layout, axis, side, ghost) for ghost in (False, True))
    return (inside, outside) if state == CROSSED else (outside, inside)


def in_order(axes: Sequence[int], state: int) -> list[int]:
    """Axes in the order of their exchange."""
    return sorted(axes, reverse=state == STRAIGHT)


def own_copies(layout: Layout, axes: Sequence[int], cut: Sequence[int] = ()) -> Copies:
    """Copies within a block that make `axes` periodic, in any order: each from where its value comes in the end.

    Those that messages along the axes `cut` wait for come first; both parts are sorted by the row that is written.
    """
    tables = []
    for state in STATES:
        moves = [through(layout, axis, side, state) for axis in in_order(axes, state) for side in SIDES]
        places = np.unique(np.concatenate([np.zeros(0, np.int64), *(place for move in moves for place in move)]))
        origin = np.arange(len(places))
        for read, written in moves:
            origin[np.searchsorted(places, written)] = origin[np.searchsorted(places, read)]
        moved = origin != np.arange(len(places))
        source, target = places[origin[moved]], places[moved]
        order = np.lexsort((layout.site(target)[:, 0], ~awaited(layout, target, cut, state)))
        tables.append((source[order], target[order]))
    return Copies(*zip(*tables, strict=True))


def awaited(layout: Layout, offset: I64, cut: Sequence[int], state: int) -> Bools:
    """Which offsets are among those that are sent along the axes `cut` after a step of parity `state`."""
    site = layout.site(offset)
    result = np.zeros(len(offset), bool)
    for axis in cut:
        n = layout.shape[axis]
        result |= np.isin(site[:, axis], (0, n - 1) if state == CROSSED else (-1, n))
    return result


def exchanges(
    layout: Layout, decomposition: Decomposition, rank: int, periodic: Sequence[bool], state: int
) -> list[Exchange]:
    """The exchanges of a rank's block after a step of parity `state`, one for each axis that is cut, in their order."""
    result = []
    for axis in in_order(decomposition.cut, state):
        sides: list[tuple[int, I64, I64, int | None, int | None]] = []
        for side in SIDES:
            # Needed after an even step: by the neighbour behind. Pushed in an odd one: to the neighbour ahead.
            toward = -side if state == CROSSED else side
            ahead, behind = (decomposition.neighbour(rank, axis, s, periodic[axis]) for s in (toward, -toward))
            sides.append((side + 1, *through(layout, axis, side, state), ahead, behind))
        read, sends = _joined([(offsets, to, tag) for tag, offsets, _, to, _ in sides])
        written, receives = _joined([(offsets, of, tag) for tag, _, offsets, _, of in sides])
        result.append(Exchange(read, written, sends, receives))
    return result


def _joined(parts: list[tuple[I64, int | None, int]]) -> tuple[I64, list[tuple[int, int, int]]]:
    """One table of offsets, and the messages that are its pieces, to or from neighbours there are."""
    there = [(offsets, rank, tag) for offsets, rank, tag in parts if rank is not None]
    table = np.concatenate([np.zeros(0, np.int64), *(offsets for offsets, _, _ in there)])
    return table, [(rank, tag, len(offsets)) for offsets, rank, tag in there]
