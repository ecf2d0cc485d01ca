"""Cutting a periodic configuration into blocks, each with all that a network sees around it.

A block is a brick of the box; its halo is as deep as the network looks: the number of edges that an answer depends on
(`reach`), each at most a cutoff long. What is predicted in the brick is then what the whole configuration gives, while
answers in the halo are thrown away. The bricks are cut such that as little as possible is computed twice.
Units: sigma.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from runkit.arrays import F64, I64, Bools, Floats


@dataclass(frozen=True)
class Block:
    """Particles of a brick and its halo: `member` their ascending numbers, `is_own` which of these lie in the brick."""

    member: I64
    is_own: Bools


def cut(position: Floats, box: Floats, n_blocks: int, depth: float) -> list[Block]:
    """Blocks of particles at `position` [n, 3] in a periodic box, with a halo of `depth`; each is in one brick."""
    counts = bricks(box, n_blocks, depth)
    wrapped = position - np.floor(position / box) * box
    place = np.minimum((wrapped / box * counts).astype(np.int64), np.array(counts) - 1)
    own = np.ravel_multi_index(tuple(place.T), counts)
    return [
        _block(wrapped, own == number, box, np.array(at), np.array(counts), depth)
        for number, at in enumerate(np.ndindex(counts))
    ]


def enough(n_particles: int, box: Floats, least: int, depth: float, most: int) -> int:
    """`least` or more blocks, such that about `most` particles or fewer lie in one with its halo.

    Where no number up to that of particles does it, because the halo alone holds more, it is `least`.
    """
    n_blocks = least
    while n_blocks <= n_particles:
        counts = np.array(bricks(box, n_blocks, depth))
        if n_particles * np.prod(np.minimum(box / counts + 2 * depth, box) / box) <= most:
            return n_blocks
        n_blocks *= 2
    return least


def bricks(box: Floats, n_blocks: int, depth: float) -> tuple[int, int, int]:
    """Bricks along each axis, `n_blocks` together, for which bricks and halos have the least volume."""

    def volume(counts: tuple[int, int, int]) -> float:
        return float(np.prod(np.minimum(box / counts + 2 * depth, box)))

    return min(_factors(n_blocks), key=volume)


def _factors(number: int) -> Iterator[tuple[int, int, int]]:
    for first in (one for one in range(1, number + 1) if number % one == 0):
        rest = number // first
        yield from ((first, second, rest // second) for second in range(1, rest + 1) if rest % second == 0)


def _block(wrapped: F64, is_own: Bools, box: Floats, at: I64, counts: I64, depth: float) -> Block:
    """The brick at `at`: near is what is within its half edge and the halo from its middle, along every axis."""
    middle, half = (at + 0.5) * box / counts, 0.5 * box / counts
    away = np.abs(wrapped - middle)
    away = np.minimum(away, box - away)
    # Rounding must not lose what belongs to the brick, nor what lies at the very end of the halo.
    member = np.flatnonzero((away <= half + depth + 1e-9 * box).all(axis=1) | is_own)
    return Block(member, is_own[member])
