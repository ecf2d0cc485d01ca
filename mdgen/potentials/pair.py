"""Pair interactions between species: what every law of this package returns.

Units: those of the arrays given; Lennard-Jones units in the registered laws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runkit import elementary
from runkit.errors import UserError

LEAST, MOST = 1e-20, 1e5  # of a parameter: their 12th powers are numbers in any arithmetic of float64


@dataclass(frozen=True)
class PairPotential:
    """U(r) = 4 eps [(sigma/r)^12 - (sigma/r)^6] - (the same at the cutoff) for r < cutoff, else 0.

    The energy is continuous at the cutoff, the force is not. `epsilon`, `sigma` and `cutoff` are float64
    [n_species, n_species], symmetric and positive.
    """

    epsilon: np.ndarray
    sigma: np.ndarray
    cutoff: np.ndarray

    @classmethod
    def lennard_jones(cls, epsilon, sigma, cutoff) -> PairPotential:
        """The potential of these matrices [n_species, n_species]; raises `UserError` if one is not acceptable."""
        matrices = {"epsilon": epsilon, "sigma": sigma, "cutoff": cutoff}
        return cls(**{name: _matrix(name, values) for name, values in matrices.items()})

    @property
    def n_species(self) -> int:
        return len(self.epsilon)

    @property
    def largest_cutoff(self) -> float:
        return float(self.cutoff.max())

    @property
    def shift(self) -> np.ndarray:
        """What is subtracted from the energy of a pair [n_species, n_species]."""
        power = elementary.power(self.sigma / self.cutoff, 6)
        return 4 * self.epsilon * (power**2 - power)

    def energy(self, r, a, b) -> np.ndarray:
        """Energy of pairs of species `a` and `b` at distance `r`; arrays broadcast."""
        power = (self.sigma[a, b] / r) ** 6
        return np.where(r < self.cutoff[a, b], 4 * self.epsilon[a, b] * (power**2 - power) - self.shift[a, b], 0.0)

    def force(self, r, a, b) -> np.ndarray:
        """-dU/dr of pairs of species `a` and `b` at distance `r`, positive where they repel; arrays broadcast."""
        power = (self.sigma[a, b] / r) ** 6
        return np.where(r < self.cutoff[a, b], 24 * self.epsilon[a, b] * (2 * power**2 - power) / r, 0.0)


def symmetric(values, name: str = "parameter") -> np.ndarray:
    """The matrix [[aa, ab], [ab, bb]] of three values (aa, ab, bb); one value stands for all."""
    flat = np.atleast_1d(np.asarray(values, dtype=float)).ravel()
    if len(flat) not in (1, 3):
        raise UserError(f"system.parameters.{name} = {values}: give three values (AA, AB, BB) or one for all")
    aa, ab, bb = flat if len(flat) == 3 else np.repeat(flat, 3)
    return np.array([[aa, ab], [ab, bb]])


def _matrix(name: str, values) -> np.ndarray:
    matrix = np.array(values, dtype=np.float64)
    if matrix.ndim != 2 or not np.array_equal(matrix, matrix.T, equal_nan=True):
        raise UserError(f"{name} = {matrix.tolist()}: a symmetric matrix [species, species] is needed")
    if not np.all((matrix >= LEAST) & (matrix <= MOST)):
        raise UserError(f"{name} = {matrix.tolist()}: every entry must be positive, from {LEAST:g} to {MOST:g}")
    matrix.setflags(write=False)
    return matrix
