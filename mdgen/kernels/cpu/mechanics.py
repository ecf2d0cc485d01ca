"""Sums over the pairs of each particle: energy, virial, curvature, stress and stiffness, by the formulas of a law.

A pair is visited once and adds to both of its particles, in the order of the list, so sums have the same bits always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mdgen.kernels.cpu.pairs import Formulas
from runkit.simd.lanes import first_elements
from runkit.simd.parts import helper

TERMS, SQUARES = 3, 3  # energy, virial, curvature; squares of energy, of virial, of the repulsive part of the virial
COMPONENTS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # of a symmetric matrix: the diagonal comes first


def make_mechanics(formulas: Formulas) -> Callable[..., Any]:
    """The kernel mechanics(position, species, box, pairs, table, terms, squares, stress, stiffness).

    It adds to `terms` [n, n_species, TERMS], `squares` [n, SQUARES], and the COMPONENTS of `stress` and `stiffness`
    [n, 6]. `table` is that of a `PairPotential`, [n_species, n_species, 1 + n_columns].
    """
    energy_of, virial_of, curvature_of = formulas.energy, formulas.virial, formulas.curvature
    columns_of = first_elements(formulas.n_columns)

    def mechanics(position, species, box, pairs, table, terms, squares, stress, stiffness):
        direction = np.empty(3)
        for p in range(len(pairs)):
            i, j = pairs[p, 0], pairs[p, 1]
            square = 0.0
            for axis in range(3):
                d = position[j, axis] - position[i, axis]
                d -= box[axis] * np.rint(d / box[axis])
                direction[axis] = d
                square += d * d
            row = table[species[i], species[j]]
            if square >= row[0]:
                continue
            given = (square,) + columns_of(row[1:])  # noqa: RUF005  # no star in Numba
            virial = virial_of(given)
            found = (energy_of(given), virial, curvature_of(given))
            _add(i, species[j], found, direction, square, terms, squares, stress, stiffness)
            _add(j, species[i], found, direction, square, terms, squares, stress, stiffness)

    return formulas.compiled(mechanics)


@helper
def _add(i, other, found, direction, square, terms, squares, stress, stiffness):
    """Add the share of a pair to particle `i`, whose neighbour is of species `other`."""
    energy, virial, curvature = found
    terms[i, other, 0] += energy
    terms[i, other, 1] += virial
    terms[i, other, 2] += curvature
    squares[i, 0] += energy * energy
    squares[i, 1] += virial * virial
    if virial > 0.0:
        squares[i, 2] += virial * virial
    across = -virial / square  # U'/r
    for k, (a, b) in enumerate(COMPONENTS):
        along = direction[a] * direction[b] / square
        stress[i, k] -= virial * along
        stiffness[i, k] += (curvature - across) * along
        if a == b:
            stiffness[i, k] += across
