"""Soft spheres: a binary mixture that repels by an inverse power of the distance.

U(r) = epsilon (sigma/r)^exponent - (the same at the cutoff).

Source: B. Bernu, J.-P. Hansen, Y. Hiwatari and G. Pastore, Phys. Rev. A 36, 4891 (1987),
doi:10.1103/PhysRevA.36.4891 (exponent 12).
Units: those of epsilon and sigma; m = k_B = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mdgen.potentials import potential
from mdgen.potentials.pair import Pair, PairLaw, PairPotential, mixture
from runkit import elementary
from runkit.arrays import F64
from runkit.formula import Value, power

STEEPEST = 100


@dataclass(frozen=True)
class InversePower(PairLaw):
    """The force jumps to zero at the cutoff."""

    exponent: int

    def __post_init__(self) -> None:
        if self.exponent % 2 or not 2 <= self.exponent <= STEEPEST:
            raise ValueError(f"exponent = {self.exponent}; allowed: even integers from 2 to {STEEPEST}")

    def columns(self, cutoff: F64, epsilon: F64, sigma: F64) -> dict[str, F64]:
        edge = epsilon * elementary.power(sigma / cutoff, self.exponent)
        return {"epsilon": epsilon, "sigma_square": sigma**2, "shift": edge}

    def energy(self, square: Value, pair: Pair) -> Value:
        return pair.epsilon * power(pair.sigma_square * (1.0 / square), self.exponent // 2) - pair.shift

    def force(self, square: Value, pair: Pair) -> Value:
        inverse = 1.0 / square
        repulsion = self.exponent * pair.epsilon * inverse
        return repulsion * power(pair.sigma_square * inverse, self.exponent // 2)


@potential("inverse-power")
def inverse_power(
    exponent: int = 12,
    epsilon: float | Sequence[float] = 1.0,
    sigma: float | Sequence[float] = 1.0,
    cutoff: float | Sequence[float] = 2.5,
) -> PairPotential:
    """Species 0 is A, 1 is B; parameters are (AA, AB, BB) or one value; cut and shifted at cutoff * sigma_ab."""
    return mixture(InversePower(exponent), epsilon, sigma, cutoff)
