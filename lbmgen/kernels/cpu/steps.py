"""The steps of blocks with one law, on the CPU: what `lbmgen.block` calls, whatever the machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np

from lbmgen.averages import averaged
from lbmgen.collisions import Collision
from lbmgen.kernels import Grid, Part, Statistics
from lbmgen.kernels.cpu.advance import Task, make_advance
from lbmgen.kernels.cpu.mail import mail_of
from lbmgen.kernels.cpu.moments import moments
from lbmgen.lattices import Lattice
from runkit.arrays import F64, I64, Floats
from runkit.mpi import Messages, World

CACHE_BYTES = 1 << 21  # of a block, beyond which it pays to go through it once for two steps
BAND_BYTES = 1 << 17  # of rows that do so together: several times as much should stay in the cache of a core


class Placed(NamedTuple):
    """A part, what `advance` needs to know of it, and the messages that carry its mail."""

    part: Part
    task: Task
    messages: list[Messages]


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Parts lie where the kernels run."""

    def __init__(self, lattice: Lattice, law: Collision, forced: bool) -> None:
        self._advance = make_advance(lattice, law, forced)

    def rows_together(self, layout: Grid) -> int:
        """Rows of a band, where two steps in one pass are faster, else 0."""
        row = layout.lattice.q * layout.strides[0] * layout.dtype.itemsize
        return max(1, BAND_BYTES // row) if row * layout.shape[0] > CACHE_BYTES else 0

    def place(self, part: Part, group: World) -> Placed:
        """The part, where kernels can reach it; its neighbours are among the ranks of `group`."""
        mail, messages = mail_of(part.exchanges, part.h.dtype, group)
        return Placed(part, Task.of(part, mail), messages)

    def free(self, placed: Placed) -> None:
        """The part takes no more steps."""
        placed.task.mail.native.give_back(placed.messages)
        for each in placed.messages:
            each.free()

    def populations(self, placed: Placed) -> Floats:
        """Its populations, for reading or, followed by `restore`, for writing."""
        return placed.part.h

    def restore(self, placed: Placed, h: Floats, state: int) -> None:
        """Set populations and what open faces remember; they lie as after a step of parity `state`."""
        outlets = placed.part.outlets
        outlets.memory[:] = h[outlets.target[state]]

    def advance(self, parts: Sequence[Placed], parity: int, scales: F64) -> I64:
        """Steps of parts, the first of `parity`; `scales` [n_parts, n_steps] scale moving walls.

        Returns the impulse on each body, int64 [n_parts, n_steps, n_bodies, d + 1] (see `lbmgen.forces`).
        """
        first = parts[0].part
        impulse = np.zeros((*scales.shape, first.n_bodies, first.c.shape[1] + 1), np.int64)
        for placed, scale, taken in zip(parts, scales, impulse, strict=True):
            self._advance(placed.part.h, placed.task, parity, scale, taken)
        return impulse

    def moments(self, placed: Placed, state: int) -> tuple[F64, F64]:
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        return moments(placed.part, placed.part.h, state)

    def statistics(self, parts: Sequence[Placed], state: int, width: int | None) -> list[Statistics]:
        """Of each part: the largest speed, the largest |density - 1| and, if `width` is not None, means over cells of
        density - 1 and velocity."""
        return [_statistics(*self.moments(placed, state), width) for placed in parts]


def _statistics(density: F64, velocity: F64, width: int | None) -> Statistics:
    d = density.ndim
    fastest = np.sqrt(reduce(add, (velocity[..., axis] ** 2 for axis in range(d))).max())
    deviation = np.abs(density - 1.0).max()
    if width is None:
        return Statistics(fastest, deviation, None, None)
    return Statistics(fastest, deviation, averaged(density - 1.0, width, d), averaged(velocity, width, d))
