"""Compute kernels: one module per kind of machine, all with the functions of `mdgen.kernels.cpu`, and what they take.

The state of a bundle of replicas is flat blocks [n_blocks, 3, LANES]: with replicas as lanes a block is one particle of
LANES replicas, with particles as lanes it is LANES particles of one replica. A place is int32 that counts 2**-32 of the
box, or float64 that counts boxes.
"""

import math
from typing import NamedTuple

import numpy as np


class Rows(NamedTuple):
    """The lanes of the rows of a list, int32 [n_rows * LANES]: particle, offset of its x component, species."""

    particle: np.ndarray
    slot: np.ndarray
    kind: np.ndarray


class Near(NamedTuple):
    """Neighbours of each row: `entry[start[row]:start[row + 1]]`, ascending; int64 [n_rows + 1], int32."""

    start: np.ndarray
    entry: np.ndarray


class Law(NamedTuple):
    """Species int32 [n], a table [n_species, n_species, columns], flat, and the length of a unit of place [3]."""

    species: np.ndarray
    table: np.ndarray
    scale: np.ndarray


class Cover(NamedTuple):
    """Where a list was made: int32 places, their unit of length float32 [3], and how much closer pairs may come."""

    reference: np.ndarray
    scale: np.ndarray
    skin: float


class State(NamedTuple):
    """Blocks: position and velocity (float64), force, int32 places for lists, places for forces (these or float64)."""

    position: np.ndarray
    velocity: np.ndarray
    force: np.ndarray
    coordinate: np.ndarray
    place: np.ndarray


def grain(n_particles: int) -> float:
    """Adding and subtracting it rounds squares of velocities to multiples of a 2**-53rd of 64 n_particles or more.

    Sums of them over all particles are then exact in double precision, if their mean is less than 64.
    """
    return 1.5 * 2.0 ** (math.ceil(math.log2(n_particles)) + 5)
