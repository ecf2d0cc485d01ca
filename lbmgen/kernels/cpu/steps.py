"""The steps of blocks with one law, on the CPU: what `lbmgen.block` calls, whatever the machine."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lbmgen.averages import averaged
from lbmgen.kernels import Part
from lbmgen.kernels.cpu.mail import mail_of
from lbmgen.kernels.cpu.march import Task, make_march
from lbmgen.kernels.cpu.moments import moments

CACHE_BYTES = 1 << 21  # of a block, beyond which it pays to go through it once for two steps
BAND_BYTES = 1 << 17  # of rows that do so together: several times as much should stay in the cache of a core


class Placed(NamedTuple):
    """A part, what a march needs to know of it, and the messages that carry its mail."""

    part: Part
    task: Task
    messages: list[Any]


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Parts lie where the kernels run."""

    def __init__(self, lattice, law, forced):
        self._march = make_march(lattice, law, forced)

    def rows_together(self, layout):
        """Rows of a band, where two steps in one pass are faster, else 0."""
        row = layout.lattice.q * layout.strides[0] * layout.dtype.itemsize
        return max(1, BAND_BYTES // row) if row * layout.shape[0] > CACHE_BYTES else 0

    def place(self, part, group):
        """The part, where kernels can reach it; its neighbours are among the ranks of `group`."""
        mail, messages = mail_of(part.exchanges, part.h.dtype, group)
        return Placed(part, Task.of(part, mail), messages)

    def free(self, placed):
        """The part takes no more steps."""
        placed.task.mail.native.give_back(placed.messages)
        for each in placed.messages:
            each.free()

    def populations(self, placed):
        """Its populations, for reading or, followed by `restore`, for writing."""
        return placed.part.h

    def restore(self, placed, h, state):
        """Set populations and what open faces remember; they lie as after a step of parity `state`."""
        outlets = placed.part.outlets
        outlets.memory[:] = h[outlets.target[state]]

    def march(self, parts, parity, clocks):
        """Steps of parts, the first of `parity`; `clocks` [n_parts, n_steps] scale moving walls.

        Returns what bodies have taken, int64 [n_parts, n_steps, n_bodies, d + 1] (see `lbmgen.forces`).
        """
        first = parts[0].part
        tally = np.zeros((*clocks.shape, first.n_bodies, first.c.shape[1] + 1), np.int64)
        for placed, clock, taken in zip(parts, clocks, tally, strict=True):
            self._march(placed.part.h, placed.task, parity, clock, taken)
        return tally

    def moments(self, placed, state):
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        return moments(placed.part, placed.part.h, state)

    def look(self, parts, state, width):
        """Of each part: the largest speed, the largest |density - 1| and, if `width` is not None, means over cells of
        density - 1 and velocity."""
        return [_look(*self.moments(placed, state), width) for placed in parts]


def _look(density, velocity, width):
    d = density.ndim
    fastest = np.sqrt(sum(velocity[..., axis] ** 2 for axis in range(d)).max())
    deviation = np.abs(density - 1.0).max()
    if width is None:
        return fastest, deviation, None, None
    return fastest, deviation, averaged(density - 1.0, width, d), averaged(velocity, width, d)
