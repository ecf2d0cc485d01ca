"""The steps of blocks with one law, on the CPU: what `lbmgen.block` calls, whatever the machine."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np

from lbmgen.averages import averaged
from lbmgen.kernels.cpu.faces import copy, gather, outlets, scatter, walls
from lbmgen.kernels.cpu.march import make_march
from lbmgen.kernels.cpu.moments import moments
from lbmgen.kernels.cpu.sweep import make_sweep


class Steps:
    """For a lattice, a law and, if `forced`, a force density. Parts and buffers lie where the kernels run."""

    def __init__(self, lattice, law, forced):
        self._sweep, self._march = (make(lattice, law, forced) for make in (make_sweep, make_march))

    def place(self, part):
        """The part, where kernels can reach it."""
        return part

    def free(self, part):
        """The part takes no more steps."""

    def populations(self, part):
        """Its populations, for reading or, followed by `restore`, for writing."""
        return part.h

    def restore(self, part, h, state):
        """Set populations and what open faces remember; they lie as after a step of parity `state`."""
        part.outlets.memory[:] = h[part.outlets.target[state]]

    def march(self, parts, parity, clocks):
        """Steps of parts without neighbours, the first of `parity`; `clocks` [n_parts, n_steps] scale moving walls.

        Returns what bodies have taken, int64 [n_parts, n_steps, d], in quanta of 2**-48.
        """
        tally = np.zeros((*clocks.shape, parts[0].c.shape[1]), np.int64)
        for part, clock, taken in zip(parts, clocks, tally, strict=True):
            where = part.region, part.rows, part.places, part.numbers
            faces = part.copies, part.links, part.outlets, part.c, part.w
            self._march(part.h, parity, *where, *faces, clock, taken)
        return tally

    def record(self, part, clock):
        """For steps one by one: their clocks, and what bodies take in them."""
        return clock, np.zeros((len(clock), part.c.shape[1]), np.int64)

    def taken(self, record):
        """What bodies have taken, int64 [n_steps, d]."""
        return record[1]

    def sweep(self, part, region, parity):
        """Collide and stream the sites of `region`, which is what `region` of this class has returned."""
        self._sweep(part.h, region, part.places[parity], part.numbers)

    def region(self, region):
        """A region, where kernels can reach it."""
        return region

    def offsets(self, offsets):
        """A table of offsets, where kernels can reach it."""
        return offsets

    def buffer(self, part, n, direct):
        """Room for `n` populations on their way: where kernels reach it, and where MPI does, `direct` or not."""
        array = np.empty(n, part.h.dtype)
        return array, array

    def pack(self, part, offsets, buffer):
        """buffer = h[offsets]; not before `wait`."""
        gather(part.h, offsets, buffer[0])

    def unpack(self, part, offsets, buffer):
        """h[offsets] = buffer."""
        scatter(part.h, offsets, buffer[0])

    def wait(self):
        """Until buffers are packed."""

    def beside(self):
        """Within it, what is asked for may run beside what is asked for outside from here on."""
        return nullcontext()

    def join(self):
        """What is asked for from here on comes after what was asked for beside."""

    def copy(self, part, source, target):
        """h[target] = h[source]."""
        copy(part.h, source, target)

    def boundaries(self, part, parity, record, step):
        """What comes back from walls and open faces after step number `step` of the record."""
        clock, tally = record
        # A call costs as much as hundreds of sites.
        if part.links.a.size:
            walls(part.h, part.links, parity, clock[step], tally[step])
        if part.outlets.i.size:
            outlets(part.h, part.outlets, parity, part.c, part.w)

    def moments(self, part, state):
        """Density [*shape] and velocity [*shape, d]; 1 and 0 in solid sites."""
        return moments(part, part.h, state)

    def look(self, parts, state, width):
        """Of each part: the largest speed and, if `width` is not None, means over cells of density - 1 and velocity."""
        return [_look(*self.moments(part, state), width) for part in parts]


def _look(density, velocity, width):
    d = density.ndim
    fastest = np.sqrt(sum(velocity[..., axis] ** 2 for axis in range(d)).max())
    if width is None:
        return fastest, None, None
    return fastest, averaged(density - 1.0, width, d), averaged(velocity, width, d)
