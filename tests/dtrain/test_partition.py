"""Bricks of a periodic box with their halos."""

from __future__ import annotations

import numpy as np

from dtrain.glass.partition import bricks, cut, enough


def test_every_particle_is_in_one_brick_and_its_halo_is_whole():
    """By brute force: all that is within the depth of a particle is in its block."""
    rng = np.random.default_rng(3)
    box, depth = np.array([9.0, 12.0, 7.0]), 1.5
    position = rng.uniform(-20, 20, (800, 3))
    blocks = cut(position, box, 6, depth)
    own = np.concatenate([block.member[block.is_own] for block in blocks])
    assert len(blocks) == 6 and np.array_equal(np.sort(own), np.arange(800))
    for block in blocks:
        for i in block.member[block.is_own][::7]:
            away = position - position[i]
            near = np.flatnonzero(np.linalg.norm(away - box * np.rint(away / box), axis=1) <= depth)
            assert np.isin(near, block.member).all()


def test_bricks_compute_as_little_twice_as_can_be():
    """A long box is cut across; halos that fill the box leave nothing to choose."""
    assert bricks(np.array([100.0, 10.0, 10.0]), 4, 2.0) == (4, 1, 1)
    assert bricks(np.array([40.0, 40.0, 40.0]), 27, 1.0) == (3, 3, 3)


def test_parts_are_enough_when_they_hold_few_with_their_halos():
    rng, box, depth = np.random.default_rng(4), np.array([30.0, 20.0, 20.0]), 2.0
    position = rng.uniform(0, 1, (12_000, 3)) * box
    found = enough(12_000, box, 1, depth, 3000)
    largest = [max(len(block.member) for block in cut(position, box, n, depth)) for n in (found // 2, found)]
    assert largest[0] > 3000 * 1.05 > largest[1]
    assert enough(12_000, box, 3, depth, 12_000) == 3
    assert enough(12_000, box, 2, depth, 50) == 2  # a halo alone holds more
