"""Halo of a block: what it exchanges after a step with its neighbours, or with itself along an axis that it spans.

After an even step each block needs, in its ghosts, what left its neighbours' outermost sites; after an odd one it has
pushed into its ghosts what belongs to its neighbours. The same places are filled in the first case and emptied in the
second. Axes go one after the other, each with the ghosts of the others, which brings corners along; the second case
goes through them in reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
    """Copies within a block that make `axes` periodic, in any order: each from where its value comes in the end."""
    tables = []
    for state in (CROSSED, STRAIGHT):
        moves = [through(layout, axis, side, state) for axis in in_order(axes, state) for side in SIDES]
        places = np.unique(np.concatenate([np.zeros(0, np.int64), *(place for move in moves for place in move)]))
        origin = np.arange(len(places))
        for read, written in moves:
            origin[np.searchsorted(places, written)] = origin[np.searchsorted(places, read)]
        moved = origin != np.arange(len(places))
        tables.append((places[origin[moved]], places[moved]))
    return Copies(*zip(*tables, strict=True))


class Memory(NamedTuple):
    """The part of a block, and the kernels that reach it."""

    steps: Any
    part: Any


class Exchange:
    """What a block sends and receives along one axis after a step of one parity; persistent, all in two messages."""

    def __init__(
        self,
        layout: Layout,
        memory: Memory,
        group: World,
        axis: int,
        neighbours: dict[int, int | None],
        state: int,
    ) -> None:
        self._memory = memory
        sent, received = [], []  # offsets, rank, tag
        for side in SIDES:
            # Needed after an even step: by the neighbour behind. Pushed in an odd one: to the neighbour ahead.
            toward = -side if state == CROSSED else side
            read, write = through(layout, axis, side, state)
            sent.append((read, neighbours[toward], side + 1))
            received.append((write, neighbours[-toward], side + 1))
        self._sent, sends = _joined(memory, sent, group.takes_device_arrays)
        self._received, receives = _joined(memory, received, group.takes_device_arrays)
        self._messages = Messages(group, sends, receives)

    def start(self) -> None:
        """Pack and send."""
        steps, part = self._memory
        steps.pack(part, *self._sent)
        steps.wait()
        self._messages.start()

    def finish(self) -> None:
        """Wait and unpack."""
        steps, part = self._memory
        self._messages.wait()
        steps.unpack(part, *self._received)

    def free(self) -> None:
        """Give the messages back to MPI."""
        self._messages.free()


def _joined(memory: Memory, parts: list[tuple], direct: bool) -> tuple[tuple, list[tuple]]:
    """One table of offsets with its buffer, and the messages that are pieces of it, to or from neighbours there are."""
    there = [part for part in parts if part[1] is not None]
    offsets = np.concatenate([offsets for offsets, _, _ in there] or [np.zeros(0, np.int64)])
    buffer, end = memory.steps.buffer(memory.part, len(offsets), direct), 0
    messages = []
    for own, rank, tag in there:
        messages.append((rank, tag, buffer[1][end : end + len(own)]))
        end += len(own)
    return (memory.steps.offsets(offsets), buffer), messages


class OwnAxis:
    """An axis that the block spans: exchanged with itself."""

    def __init__(self, layout: Layout, memory: Memory, axis: int, state: int) -> None:
        self._memory = memory
        copies = own_copies(layout, [axis])
        self._offsets = [memory.steps.offsets(table[state]) for table in copies]

    def start(self) -> None:
        """Nothing to send."""

    def finish(self) -> None:
        """Copy."""
        self._memory.steps.copy(self._memory.part, *self._offsets)

    def free(self) -> None:
        """Nothing to give back."""


def exchanges(
    layout: Layout, memory: Memory, decomposition: Decomposition, periodic: Sequence[bool], group: World
) -> tuple[list[Exchange | OwnAxis], list[Exchange | OwnAxis]]:
    """For each parity the exchanges of this rank's block in their order."""
    result = []
    for state in (CROSSED, STRAIGHT):
        parts: list[Exchange | OwnAxis] = []
        for axis in in_order(range(len(periodic)), state):
            if decomposition.grid[axis] > 1:
                beyond = {side: decomposition.neighbour(group.rank, axis, side, periodic[axis]) for side in SIDES}
                parts.append(Exchange(layout, memory, group, axis, beyond, state))
            elif periodic[axis]:
                parts.append(OwnAxis(layout, memory, axis, state))
        result.append(parts)
    return result[0], result[1]
