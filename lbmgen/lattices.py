"""Lattices: velocities, weights and opposites of D2Q9, D3Q19 and D3Q27.

The order is fixed: rest first, then pairs, so that velocity 2k is the opposite of 2k - 1.

Source: Y. H. Qian, D. d'Humieres, P. Lallemand, Europhys. Lett. 17, 479 (1992), doi:10.1209/0295-5075/17/6/001.
Units: lattice units; the speed of sound is 1/sqrt(3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from runkit.arguments import shown
from runkit.errors import UserError
from runkit.registry import suggestion

CS2 = 1 / 3  # square of the speed of sound


@dataclass(frozen=True)
class Lattice:
    """Velocities `c` [q][d] with weights `w` [q]."""

    name: str
    c: tuple[tuple[int, ...], ...]
    w: tuple[float, ...]

    @property
    def q(self) -> int:
        """Number of velocities."""
        return len(self.c)

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return len(self.c[0])

    @cached_property
    def opposite(self) -> tuple[int, ...]:
        """Index of the opposite of each velocity."""
        return tuple(self.c.index(_reversed(c)) for c in self.c)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """(i, opposite of i), each pair once."""
        return ((i, i + 1) for i in range(1, self.q, 2))

    def mirrored(self, i: int, *axes: int) -> int:
        """Index of velocity `i` with its components along `axes` reversed."""
        return self.c.index(tuple(-v if a in axes else v for a, v in enumerate(self.c[i])))


def lattice(name: str) -> Lattice:
    """The lattice of this name; raises UserError."""
    if not (isinstance(name, str) and name in LATTICES):
        raise UserError(f"unknown lattice {shown(name)}{suggestion(str(name), LATTICES)}; known: {', '.join(LATTICES)}")
    return LATTICES[name]


def _lattice(name: str, weights: tuple[float, ...]) -> Lattice:
    """From the weights of velocities with 0, 1, 2, … components that are not zero."""
    d = int(name[1])
    speeds = [c for c in product((0, 1, -1), repeat=d) if np.abs(c).sum() < len(weights)]
    first = sorted((c for c in speeds if c > _reversed(c)), key=lambda c: (np.abs(c).sum(), _reversed(c)))
    ordered = [(0,) * d, *(c for one in first for c in (one, _reversed(one)))]
    return Lattice(name, tuple(ordered), tuple(weights[np.abs(c).sum()] for c in ordered))


def _reversed(c: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-component for component in c)


LATTICES = {
    one.name: one
    for one in (
        _lattice("D2Q9", (4 / 9, 1 / 9, 1 / 36)),
        _lattice("D3Q19", (1 / 3, 1 / 18, 1 / 36)),
        _lattice("D3Q27", (8 / 27, 2 / 27, 1 / 54, 1 / 216)),
    )
}
