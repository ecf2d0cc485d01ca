"""Local mechanics of particles: energy, virial, curvature, stress and stiffness of each, by species of neighbours.

At an energy minimum these numbers predict where particles will move better than distances do. All are sums over the
neighbours within the cutoff, of a pair energy U(r) with unit vectors e from one particle to the other.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdgen.initial import Configuration
from mdgen.observables import neighbour_pairs
from mdgen.potentials.pair import PairPotential
from runkit.arrays import F64


@dataclass(frozen=True)
class Mechanics:
    """Of each particle: `energy`, sums of U/2, `virial`, of -r U', and `curvature`, of U'', by species of the neighbour
    [n, n_species]; sums of U² and (r U')², the latter also of repelling pairs alone [n]; `stress` [n, 3, 3], sums of
    r U' e⊗e; `stiffness` [n, 3, 3], sums of U'' e⊗e + U'/r (1 - e⊗e): the second derivative of the energy by the place
    of the particle, with all others fixed (its Einstein block of the Hessian).
    """

    energy: F64
    virial: F64
    curvature: F64
    square_energy: F64
    square_virial: F64
    square_repulsion: F64
    stress: F64
    stiffness: F64


def mechanics(start: Configuration, potential: PairPotential) -> Mechanics:
    """The mechanics of a configuration, on the CPU; always the same bits."""
    # Numba takes a second to import: only where something is computed on the CPU.
    from mdgen.kernels.cpu import kernels_of
    from mdgen.kernels.cpu.mechanics import COMPONENTS, SQUARES, TERMS

    n_particles, n_species = len(start.position), potential.n_species
    pairs = neighbour_pairs(start.position, start.box, potential.largest_cutoff)
    terms, squares = np.zeros((n_particles, n_species, TERMS)), np.zeros((n_particles, SQUARES))
    stress, stiffness = np.zeros((2, n_particles, len(COMPONENTS)))
    kernels_of(potential).mechanics(
        start.position, start.species.astype(np.int32), start.box, pairs, potential.table("float64"),
        *(terms, squares, stress, stiffness),
    )  # fmt: skip
    energy, virial, curvature = np.moveaxis(terms, 2, 0)
    square_energy, square_virial, square_repulsion = squares.T
    sums = energy / 2, virial, curvature, square_energy, square_virial, square_repulsion
    return Mechanics(*sums, *(_matrices(each, COMPONENTS) for each in (stress, stiffness)))


def _matrices(values: F64, components: Sequence[tuple[int, int]]) -> F64:
    """Symmetric matrices [n, 3, 3] whose `components` are `values` [n, 6]."""
    found = np.empty((len(values), 3, 3))
    for value, (a, b) in zip(values.T, components, strict=True):
        found[:, a, b] = found[:, b, a] = value
    return found
