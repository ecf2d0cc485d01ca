"""Halo of a block: what it exchanges after a step with its neighbours, or with itself along an axis that it spans.

After an even step each block needs, in its ghosts, what left its neighbours' outermost sites; after an odd one it has
pushed into its ghosts what belongs to its neighbours. The same places are filled in the first case and emptied in the
second. Axes go one after the other, each with the ghosts of the others, which brings corners along; the second case
goes through them in reverse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lbmgen.decomposition import Decomposition
from lbmgen.kernels import Copies
from lbmgen.layout import CROSSED, STRAIGHT, Layout
from runkit.mpi import Messages, World

SIDES = (-1, 1)


def crossing(layout: Layout, axis: int, side: int, ghost: bool) -> np.ndarray:
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


def through(layout: Layout, axis: int, side: int, state: int) -> tuple[np.ndarray, np.ndarray]:
    """(offsets read, offsets written) when populations that move to `side` are brought where they are needed."""
    inside, outside = (crossing(layout, axis, side, ghost) for ghost in (False, True))
    return (inside, outside) if state == CROSSED else (outside, inside)


def in_order(axes: Sequence[int], state: int) -> list[int]:
    """Axes in the order of their exchange."""
    return sorted(axes, reverse=state == STRAIGHT)


def own_copies(layout: Layout, axes: Sequence[int]) -> Copies:
    """Copies within a block that make `axes` periodic."""
    tables = []
    for state in (CROSSED, STRAIGHT):
        pairs = [through(layout, axis, side, state) for axis in in_order(axes, state) for side in SIDES]
        empty = [np.zeros(0, np.int64)]
        tables.append([np.concatenate([pair[k] for pair in pairs] or empty) for k in (0, 1)])
    return Copies(*(tuple(table[k] for table in tables) for k in (0, 1)))


class Exchange:
    """What a block sends and receives along one axis after a step of one parity; persistent, all in two messages."""

    def __init__(self, layout: Layout, group: World, axis: int, neighbours: dict[int, int | None], state: int) -> None:
        sends, receives = [], []
        self._sent: list[tuple[np.ndarray, np.ndarray]] = []
        self._received: list[tuple[np.ndarray, np.ndarray]] = []
        for side in SIDES:
            read, write = through(layout, axis, side, state)
            # Needed after an even step: by the neighbour behind. Pushed in an odd one: to the neighbour ahead.
            toward = -side if state == CROSSED else side
            if neighbours[toward] is not None:
                self._sent.append((read, np.empty(len(read), layout.dtype)))
                sends.append((neighbours[toward], side + 1, self._sent[-1][1]))
            if neighbours[-toward] is not None:
                self._received.append((write, np.empty(len(write), layout.dtype)))
                receives.append((neighbours[-toward], side + 1, self._received[-1][1]))
        self._messages = Messages(group, sends, receives)

    def start(self, kernels, h: np.ndarray) -> None:
        """Pack and send."""
        for offsets, buffer in self._sent:
            kernels.gather(h, offsets, buffer)
        self._messages.start()

    def finish(self, kernels, h: np.ndarray) -> None:
        """Wait and unpack."""
        self._messages.wait()
        for offsets, buffer in self._received:
            kernels.scatter(h, offsets, buffer)

    def free(self) -> None:
        """Give the messages back to MPI."""
        self._messages.free()


class OwnAxis:
    """An axis that the block spans: exchanged with itself."""

    def __init__(self, layout: Layout, axis: int, state: int) -> None:
        copies = own_copies(layout, [axis])
        self._offsets = copies.source[state], copies.target[state]

    def start(self, kernels, h: np.ndarray) -> None:
        """Nothing to send."""

    def finish(self, kernels, h: np.ndarray) -> None:
        """Copy."""
        kernels.copy(h, *self._offsets)

    def free(self) -> None:
        """Nothing to give back."""


def exchanges(
    layout: Layout, decomposition: Decomposition, periodic: Sequence[bool], group: World
) -> tuple[list[Exchange | OwnAxis], list[Exchange | OwnAxis]]:
    """For each parity the exchanges of this rank's block in their order."""
    result = []
    for state in (CROSSED, STRAIGHT):
        parts: list[Exchange | OwnAxis] = []
        for axis in in_order(range(len(periodic)), state):
            if decomposition.grid[axis] > 1:
                beyond = {side: decomposition.neighbour(group.rank, axis, side, periodic[axis]) for side in SIDES}
                parts.append(Exchange(layout, group, axis, beyond, state))
            elif periodic[axis]:
                parts.append(OwnAxis(layout, axis, state))
        result.append(parts)
    return result[0], result[1]
