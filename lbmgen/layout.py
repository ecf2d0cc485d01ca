"""Where the populations of a block of sites lie in memory.

A plane for each velocity; in it sites [x, y(, z)] with one ghost on every side, the last axis contiguous and aligned to
cache lines. Rows end in as little padding as their last vector and the ghosts of this row and the next need. Planes
start at different places of a page, so that the streams of a sweep do not evict each other from the cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lbmgen.kernels import VECTOR, Region
from lbmgen.lattices import Lattice
from runkit.arrays import I64, Floats, rounded_up

LINE = 64  # bytes of a cache line
PAGE_LINES = 64
STAGGER = 7  # lines by which the start of a plane moves within a page

STATES = CROSSED, STRAIGHT = 0, 1  # how populations lie after a step of even and of odd parity


class Layout:
    """The memory of a block of `shape` sites."""

    def __init__(self, lattice: Lattice, shape: Sequence[int], dtype: str) -> None:
        self.lattice, self.shape, self.dtype = lattice, tuple(shape), np.dtype(dtype)
        per_line = LINE // self.dtype.itemsize
        pitch = rounded_up(rounded_up(shape[-1], VECTOR) + 2, per_line)
        strides = [1]
        for length in (pitch, *(n + 2 for n in reversed(self.shape[1:-1]))):
            strides.insert(0, strides[0] * length)
        self.strides = tuple(strides)
        lines = 1 + self.strides[0] * (shape[0] + 2) // per_line  # one before the first row, for its ghost
        self.plane = (lines + (STAGGER - lines) % PAGE_LINES) * per_line
        self.origin = sum(self.strides[:-1]) + per_line

    def allocate(self) -> Floats:
        """Populations at rest: zeros, flat, aligned to a cache line."""
        size = self.plane * self.lattice.q * self.dtype.itemsize
        raw = np.zeros(size + LINE, np.uint8)
        start = -raw.ctypes.data % LINE
        return raw[start : start + size].view(self.dtype)

    def offset(self, site: I64) -> I64:
        """Offsets in a plane of sites [..., d]; ghosts have coordinates -1 and n."""
        return self.origin + np.asarray(site, np.int64) @ np.array(self.strides, np.int64)

    def site(self, offset: I64) -> I64:
        """Sites [..., d] of populations at `offset` in any plane; the inverse of `offset`."""
        rest = np.asarray(offset) % self.plane - self.origin + sum(self.strides)
        coordinates = []
        for stride in self.strides:
            coordinates.append(rest // stride - 1)
            rest = rest % stride
        return np.stack(coordinates, axis=-1)

    def shift(self, i: int) -> int:
        """Distance in memory to the neighbour along velocity `i`."""
        return sum(c * stride for c, stride in zip(self.lattice.c[i], self.strides, strict=True))

    def arrival(self, i: int, state: int) -> int:
        """Where, relative to a site, the population lies that has arrived there along `i`."""
        if state == STRAIGHT:
            return i * self.plane
        return self.lattice.opposite[i] * self.plane - self.shift(i)

    def departure(self, i: int, state: int) -> int:
        """Where, relative to a site, the population lies that has left it along `i`."""
        return self.arrival(i, state) + self.shift(i)

    def places(self) -> tuple[tuple[int, ...], ...]:
        """Where, relative to a site, population i is read by a step of either parity, [2][q]; its opposite is written
        there."""
        return tuple(tuple(self.arrival(i, 1 - parity) for i in range(self.lattice.q)) for parity in (0, 1))

    def region(self, *bounds: tuple[int, int]) -> Region:
        """The box of sites between (low, high) along each axis; along the last, low is a multiple of VECTOR."""
        rows = np.stack(np.meshgrid(*(np.arange(*bound) for bound in bounds[:-1]), indexing="ij"), axis=-1)
        rows = rows.reshape(-1, len(bounds) - 1)
        low, high = bounds[-1]
        start = self.offset(np.column_stack([rows, np.full(len(rows), low)]))
        return Region(start, np.full(len(rows), max(0, -(-(high - low) // VECTOR)), np.int64))

    def arrived(self, h: Floats, i: int, state: int) -> Floats:
        """View [*shape] of the populations that have arrived along `i`."""
        start = self.origin + self.arrival(i, state)
        strides = [stride * self.dtype.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(h[start:], self.shape, strides)
