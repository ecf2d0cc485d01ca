"""Moments and equilibrium of populations, and what the collision laws share.

Populations are deviations h_i = f_i - w_i from rest, so that float32 keeps the digits of small velocities and of
density differences. A value may be an array or a vector register of a kernel: the laws only add, multiply and divide,
and one text serves every machine.

Source: T. Krüger et al., The Lattice Boltzmann Method, Springer 2017, doi:10.1007/978-3-319-44649-3, sections 3.4, 6.3.
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import combinations_with_replacement
from operator import add
from typing import NamedTuple

from lbmgen.lattices import Lattice
from runkit.formula import Value


class Moments(NamedTuple):
    """Excess density rho - 1, momentum density [d] (with half of the force), and 1 / rho."""

    excess: Value
    momentum: list[Value]
    per_density: Value

    @property
    def velocity(self) -> list[Value]:
        """Velocity [d]."""
        return [j * self.per_density for j in self.momentum]


class Source(NamedTuple):
    """Parts of a population that are even and odd under reversal of its velocity: h = even + odd."""

    even: Value
    odd: Value


def moments(lattice: Lattice, h: Sequence[Value], force: Sequence[Value] | None = None) -> Moments:
    """Moments of populations `h` [q]; with a `force` density [d], the velocity is that of the middle of the step."""
    excess = added([h[0], *(h[i] + h[o] for i, o in lattice.pairs())])
    flux = [h[i] - h[o] for i, o in lattice.pairs()]
    momentum = [total([lattice.c[i][axis] for i, _ in lattice.pairs()], flux) for axis in range(lattice.d)]
    if force is not None:
        momentum = [j + 0.5 * f for j, f in zip(momentum, force, strict=True)]
    return Moments(excess, momentum, 1.0 / (excess + 1.0))


def added(values: Sequence[Value]) -> Value:
    """Sum of values, by pairs: sums that do not wait for each other."""
    if len(values) == 1:
        return values[0]
    middle = len(values) // 2
    return added(values[:middle]) + added(values[middle:])


def total(signs: Sequence[int], values: Sequence[Value]) -> Value:
    """Sum of values times their factors, which are -1, 0 or 1."""
    parts = [[v for sign, v in zip(signs, values, strict=True) if sign == kind] for kind in (1, -1)]
    plus, minus = (added(part) if part else None for part in parts)
    if minus is None:
        return plus
    return -minus if plus is None else plus - minus


def equilibrium(lattice: Lattice, of: Moments, share: Value = 1.0) -> tuple[Value, list[Source]]:
    """A `share` of the second-order equilibrium: that of rest, and of each pair of velocities.

    As much as possible is computed while the division runs, which takes longest.
    """
    excess, momentum, per_density = of
    energy = 1.5 * reduce(add, (j * j for j in momentum))
    pairs = []
    for i, _ in lattice.pairs():
        along, w = total(lattice.c[i], momentum), share * lattice.w[i]
        shape = 4.5 * along * along - energy
        pairs.append(Source(w * (shape * per_density + excess), (3.0 * w) * along))
    return (share * lattice.w[0]) * (excess - energy * per_density), pairs


def guo(lattice: Lattice, velocity: Sequence[Value], force: Sequence[Value]) -> tuple[Value, list[Source]]:
    """Guo's source of a force density without its factors 1 - omega/2: at rest, and for each pair of velocities.

    Source: Z. Guo, C. Zheng, B. Shi, Phys. Rev. E 65, 046308 (2002), doi:10.1103/PhysRevE.65.046308.
    """
    power = 3.0 * reduce(add, (u * f for u, f in zip(velocity, force, strict=True)))
    pairs = []
    for i, _ in lattice.pairs():
        c, w = lattice.c[i], lattice.w[i]
        push, speed = total(c, force), total(c, velocity)
        pairs.append(Source(w * (9.0 * speed * push - power), (3.0 * w) * push))
    return -lattice.w[0] * power, pairs


def stress(
    lattice: Lattice, h: Sequence[Value], of: Moments, force: Sequence[Value] | None
) -> dict[tuple[int, int], Value]:
    """Second moments (a, b) -> value, a <= b, of the part of `h` that is not in equilibrium, times the density.

    Those of the equilibrium are cs^2 (rho - 1) delta_ab + j_a j_b / rho: none of its populations is needed and, times
    rho, no division: what follows need not wait for it.
    """
    both = [h[i] + h[o] for i, o in lattice.pairs()]
    density, pressure = of.excess + 1.0, (1 / 3) * of.excess
    result = {}
    for a, b in combinations_with_replacement(range(lattice.d), 2):
        moment = total([lattice.c[i][a] * lattice.c[i][b] for i, _ in lattice.pairs()], both)
        departure = density * (moment - pressure if a == b else moment)
        if force is not None:  # the force alone would leave a stress
            departure = departure + 0.5 * (of.momentum[a] * force[b] + of.momentum[b] * force[a])
        result[a, b] = departure - of.momentum[a] * of.momentum[b]
    return result
