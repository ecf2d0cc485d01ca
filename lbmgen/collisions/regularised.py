"""Regularised: what is not in equilibrium is first reduced to its stress.

Source: J. Latt and B. Chopard, Math. Comput. Simul. 72, 165 (2006), doi:10.1016/j.matcom.2006.05.017.
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from lbmgen.collisions import collision
from lbmgen.equilibrium import equilibrium, guo, moments, stress
from lbmgen.lattices import Lattice
from runkit.formula import Value


@collision("regularised")
@dataclass(frozen=True)
class Regularised:
    """Stress relaxes at the rate 1 / tau, everything above it at once."""

    least_tau = 0.515
    least_tau_sliding = 0.52
    least_tau_reflecting = 0.52

    def rates(self, tau: float) -> tuple[float, ...]:
        return (1 / tau,)

    def collide(
        self, lattice: Lattice, h: Sequence[Value], rates: Sequence[Value], force: Sequence[Value] | None = None
    ) -> list[Value]:
        omega = rates[0]
        of = moments(lattice, h, force)
        rest, pairs = equilibrium(lattice, of)
        tensor = stress(lattice, h, of, force)
        trace = reduce(add, (tensor[a, a] for a in range(lattice.d))) * (1 / 3)
        keep = (4.5 * (1.0 - omega)) * of.per_density
        result: list[Value] = [rest - (lattice.w[0] * keep) * trace] + [None] * (lattice.q - 1)
        for (i, o), pair in zip(lattice.pairs(), pairs, strict=True):
            even = pair.even + (lattice.w[i] * keep) * (_along(lattice.c[i], tensor) - trace)
            result[i], result[o] = even + pair.odd, even - pair.odd
        return result if force is None else _pushed(lattice, result, of.velocity, force)


def _along(c: Sequence[int], tensor: Mapping[tuple[int, int], Value]) -> Value:
    """Sum over a, b of c_a c_b tensor_ab."""
    terms = [(c[a] * c[b] if a == b else 2.0 * c[a] * c[b]) * value for (a, b), value in tensor.items() if c[a] * c[b]]
    return reduce(add, terms)


def _pushed(
    lattice: Lattice, result: Sequence[Value], velocity: Sequence[Value], force: Sequence[Value]
) -> list[Value]:
    """Half of the force: the equilibrium holds the other half of the momentum, and the stress that of the stress."""
    rest, pairs = guo(lattice, velocity, force)
    pushed = [result[0] + 0.5 * rest, *result[1:]]
    for (i, o), pair in zip(lattice.pairs(), pairs, strict=True):
        pushed[i], pushed[o] = result[i] + 0.5 * (pair.even + pair.odd), result[o] + 0.5 * (pair.even - pair.odd)
    return pushed
