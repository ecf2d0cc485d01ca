"""The 48 symmetries of the cube: permutations of the axes with reflections. A periodic cubic box has no more."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from runkit.arrays import F32
from runkit.rng import stream

# [48, 3, 3]; the first is the identity
SYMMETRIES = np.array(
    [
        np.eye(3, dtype=np.float32)[list(axes)] * np.array(signs, np.float32)
        for axes in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
)


def draw_symmetry(seed: int, epoch: int, sample: int) -> F32:
    """The symmetry [3, 3] of a sample in an epoch: the same for any number of processes."""
    found: F32 = SYMMETRIES[stream(seed, "symmetry", epoch, sample).integers(len(SYMMETRIES))]
    return found
