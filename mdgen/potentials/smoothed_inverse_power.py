"""Soft spheres that end smoothly: energy, force and its slope go to zero at a short cutoff, which makes them fast.

U(r) = epsilon [(sigma/r)^n + c_0 + c_2 (r/sigma)^2 + c_4 (r/sigma)^4] with r_c = cutoff sigma and the c that make U, U'
and U'' zero there; for n = 12 they are -28 / cutoff^12, 48 / cutoff^14 and -21 / cutoff^16.

Source: A. Ninarello, L. Berthier and D. Coslovich, Phys. Rev. X 7, 021039 (2017), doi:10.1103/PhysRevX.7.021039, here
between two species; a sigma_ab of its own makes it as non-additive as theirs.
Units: those of epsilon and sigma; m = k_B = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mdgen.potentials import potential
from mdgen.potentials.inverse_power import InversePower
from mdgen.potentials.pair import Pair, PairPotential, mixture
from runkit import elementary
from runkit.arrays import F64
from runkit.formula import Value, power


@dataclass(frozen=True)
class SmoothedInversePower(InversePower):
    """The inverse power and a polynomial of r²."""

    def columns(self, cutoff: F64, epsilon: F64, sigma: F64) -> dict[str, F64]:
        m, edge = self.exponent // 2, epsilon * elementary.power(sigma / cutoff, self.exponent)
        return {
            "epsilon": epsilon,
            "sigma_square": sigma**2,
            "c0": -(m + 1) * (m + 2) / 2 * edge,
            "c2": m * (m + 2) * edge / cutoff**2,
            "c4": -m * (m + 1) / 2 * edge / (cutoff * cutoff * cutoff * cutoff),
        }

    def energy(self, square: Value, pair: Pair) -> Value:
        smoothing = (pair.c4 * square + pair.c2) * square + pair.c0
        return pair.epsilon * power(pair.sigma_square * (1.0 / square), self.exponent // 2) + smoothing

    def force(self, square: Value, pair: Pair) -> Value:
        return super().force(square, pair) - (4.0 * pair.c4 * square + 2.0 * pair.c2)


@potential("smoothed-inverse-power")
def smoothed_inverse_power(
    exponent: int = 12,
    epsilon: float | Sequence[float] = 1.0,
    sigma: float | Sequence[float] = 1.0,
    cutoff: float | Sequence[float] = 1.25,
) -> PairPotential:
    """Species 0 is A, 1 is B; parameters are (AA, AB, BB) or one value; all ends at cutoff * sigma_ab."""
    return mixture(SmoothedInversePower(exponent), epsilon, sigma, cutoff)
