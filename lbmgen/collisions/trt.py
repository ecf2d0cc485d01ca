"""Two relaxation times: viscosity sets one, the place of half-way walls the other.

Source: I. Ginzburg, F. Verhaeghe, D. d'Humieres, Commun. Comput. Phys. 3, 427 (2008).
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbmgen.collisions import collision
from lbmgen.equilibrium import equilibrium, guo, moments
from lbmgen.lattices import Lattice
from runkit.formula import Value


@collision("trt")
@dataclass(frozen=True)
class TRT:
    """Even parts relax at 1 / tau, odd ones so that (tau - 1/2)(tau_odd - 1/2) = magic.

    magic = 3/16 puts half-way walls of a Poiseuille flow exactly half-way at any tau; 1/4 is the most stable.
    """

    magic: float = 3 / 16
    least_tau = 0.525
    least_tau_sliding = 0.515
    least_tau_reflecting = 0.525

    def __post_init__(self) -> None:
        if not 0 < self.magic <= 1:
            raise ValueError(f"magic = {self.magic:g}; allowed: above 0, up to 1")

    def rates(self, tau: float) -> tuple[float, ...]:
        return 1 / tau, 1 / (self.magic / (tau - 0.5) + 0.5)

    def collide(
        self, lattice: Lattice, h: Sequence[Value], rates: Sequence[Value], force: Sequence[Value] | None = None
    ) -> list[Value]:
        even_rate, odd_rate = rates
        of = moments(lattice, h, force)
        rest, pairs = equilibrium(lattice, of)
        result: list[Value] = [h[0] + even_rate * (rest - h[0])] + [None] * (lattice.q - 1)
        if force is not None:
            rest_push, pushes = guo(lattice, of.velocity, force)
            even_push, odd_push = 1.0 - 0.5 * even_rate, 1.0 - 0.5 * odd_rate
            result[0] = result[0] + even_push * rest_push
        for k, ((i, o), pair) in enumerate(zip(lattice.pairs(), pairs, strict=True)):
            even = even_rate * (pair.even - 0.5 * (h[i] + h[o]))
            odd = odd_rate * (pair.odd - 0.5 * (h[i] - h[o]))
            if force is not None:
                even = even + even_push * pushes[k].even
                odd = odd + odd_push * pushes[k].odd
            result[i], result[o] = h[i] + even + odd, h[o] + even - odd
        return result
