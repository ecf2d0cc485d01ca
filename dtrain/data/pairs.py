"""Pairs of particles that are near in a periodic box, and the vectors between them.

Units: those of the positions.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from runkit.arrays import F64, I64, Floats, Ints
from runkit.errors import UserError


def near_pairs(position: Floats, box: Floats, cutoff: float) -> I64:
    """Pairs i < j with minimum-image distance < cutoff, lexicographic [n_pairs, 2]; UserError if the box is small."""
    if 2 * cutoff > box.min():
        raise UserError(
            f"data.cutoff = {cutoff:g} needs a box of at least {2 * cutoff:g}; the smallest edge is {box.min():g}"
        )
    wrapped = np.mod(position, box)
    wrapped[wrapped >= box] = 0.0  # what rounding put on the upper face
    pairs = cKDTree(wrapped, boxsize=box).query_pairs(cutoff, output_type="ndarray")
    vector = pair_vectors(position, pairs, box)
    pairs = pairs[np.einsum("ij,ij->i", vector, vector) < cutoff**2]
    found: I64 = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return found


def pair_vectors(position: Floats, pairs: Ints, box: Floats) -> F64:
    """Vectors [n_pairs, 3] from the first to the nearest image of the second particle of each pair."""
    return minimum_image(position[pairs[:, 1]] - position[pairs[:, 0]], box)


def distances(position: Floats, pairs: Ints, box: Floats) -> F64:
    """Minimum-image distances [n_pairs]."""
    found: F64 = np.linalg.norm(pair_vectors(position, pairs, box), axis=1)
    return found


def minimum_image(vector: Floats, box: Floats) -> F64:
    """Vectors [n, 3] to the nearest periodic image; float64, as edges of a box are."""
    found: F64 = vector - box * np.rint(vector / box)
    return found
