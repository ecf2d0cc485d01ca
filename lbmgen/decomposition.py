"""How a domain is cut into blocks, one for each rank of a group: a Cartesian grid of nearly equal boxes.

Cuts fall between stored cells, so that a cell is averaged by one rank.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from runkit.errors import UserError
from runkit.mpi import share

LEAST = 4  # sites of a block along each axis
THICK = 32  # sites of a slab from which on its halos are a few percent of what it moves


@dataclass(frozen=True)
class Decomposition:
    """Blocks of a domain of `shape` sites in a `grid`; rank counts along the last axis fastest."""

    shape: tuple[int, ...]
    grid: tuple[int, ...]
    unit: int = 1  # cuts fall on multiples of this

    @classmethod
    def best(cls, shape: tuple[int, ...], n_ranks: int, unit: int = 1, slabs: bool = True) -> Decomposition:
        """The grid of `n_ranks` blocks; raises UserError if they get too thin.

        With `slabs` along the first axis while these are thick: what they exchange is contiguous and goes to two
        neighbours, and on CPUs steps can go two by two. Else the grid with the least surface between blocks; of equal
        ones the one that cuts the first axis most.
        """
        slabs = slabs and shape[0] >= THICK * n_ranks
        candidates = [
            (not (slabs and grid[0] == n_ranks), _surface(shape, grid), tuple(-n for n in grid), grid)
            for grid in grids(n_ranks, len(shape))
            if all((total // unit // n) * unit >= LEAST for total, n in zip(shape, grid, strict=True))
        ]
        if not candidates:
            raise UserError(
                f"ranks_per_case = {n_ranks}: a domain of {' x '.join(map(str, shape))} sites cannot be cut into so "
                f"many blocks of {LEAST} sites or more; allowed: fewer ranks, or a larger domain"
            )
        return cls(tuple(shape), min(candidates)[-1], unit)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(np.prod(self.grid))

    @property
    def cut(self) -> list[int]:
        """Axes along which there is more than one block."""
        return [axis for axis, n in enumerate(self.grid) if n > 1]

    def place(self, rank: int) -> tuple[int, ...]:
        """Where a rank's block lies in the grid."""
        return tuple(int(i) for i in np.unravel_index(rank, self.grid))

    def block(self, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(first site, number of sites) of a rank's block along each axis."""
        parts = [
            share(total // self.unit, i, n) for total, i, n in zip(self.shape, self.place(rank), self.grid, strict=True)
        ]
        return tuple(part.start * self.unit for part in parts), tuple(len(part) * self.unit for part in parts)

    def neighbour(self, rank: int, axis: int, side: int, periodic: bool) -> int | None:
        """The rank beyond the face at `side` (-1 or 1) of an axis; None at the end of the domain."""
        place = list(self.place(rank))
        place[axis] += side
        if not (periodic or 0 <= place[axis] < self.grid[axis]):
            return None
        return int(np.ravel_multi_index(place, self.grid, mode="wrap"))


def grids(n: int, d: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `n` as an ordered product of `d` numbers."""
    if d == 1:
        yield (n,)
        return
    for first in range(1, n + 1):
        if n % first == 0:
            yield from ((first, *rest) for rest in grids(n // first, d - 1))


def _surface(shape: tuple[int, ...], grid: tuple[int, ...]) -> float:
    """Area between blocks."""
    volume = float(np.prod(shape))
    return sum((n - 1) * volume / total for total, n in zip(shape, grid, strict=True))
