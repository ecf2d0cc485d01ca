"""Single relaxation time.

Source: Y. H. Qian, D. d'Humieres, P. Lallemand, Europhys. Lett. 17, 479 (1992), doi:10.1209/0295-5075/17/6/001.
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbmgen.collisions import collision
from lbmgen.equilibrium import equilibrium, guo, moments
from lbmgen.lattices import Lattice
from runkit.formula import Value


@collision("bgk")
@dataclass(frozen=True)
class BGK:
    """All populations relax to equilibrium at the rate 1 / tau."""

    least_tau = 0.506
    least_tau_sliding = 0.525
    least_tau_reflecting = 0.54

    def rates(self, tau: float) -> tuple[float, ...]:
        return (1 / tau,)

    def collide(
        self, lattice: Lattice, h: Sequence[Value], rates: Sequence[Value], force: Sequence[Value] | None = None
    ) -> list[Value]:
        return relax(lattice, h, rates[0], force)


def relax(lattice: Lattice, h: Sequence[Value], omega: Value, force: Sequence[Value] | None) -> list[Value]:
    """Populations relaxed at one rate, with Guo's force."""
    of = moments(lattice, h, force)
    rest, pairs = equilibrium(lattice, of, omega)
    keep = 1.0 - omega
    result: list[Value] = [keep * h[0] + rest] + [None] * (lattice.q - 1)
    for (i, o), pair in zip(lattice.pairs(), pairs, strict=True):
        result[i], result[o] = keep * h[i] + pair.odd + pair.even, keep * h[o] - pair.odd + pair.even
    if force is None:
        return result
    source = 1.0 - 0.5 * omega
    rest, pairs = guo(lattice, of.velocity, force)
    result[0] = result[0] + source * rest
    for (i, o), pair in zip(lattice.pairs(), pairs, strict=True):
        result[i] = result[i] + source * (pair.even + pair.odd)
        result[o] = result[o] + source * (pair.even - pair.odd)
    return result
