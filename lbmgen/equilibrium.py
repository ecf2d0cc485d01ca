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
from typing import Any, NamedTuple

from lbmgen.lattices import Lattice

Value = Any


class Moments(NamedTuple):
    """Excess density rho - 1, momentum density [d] (with half of the force), and velocity [d]."""

    excess: Value
    momentum: list[Value]
    velocity: list[Value]


class Source(NamedTuple):
    """Parts of a population that are even and odd under reversal of its velocity: h = even + odd."""

    even: Value
    odd: Value


def moments(lattice: Lattice, h: Sequence[Value], force: Sequence[Value] | None = None) -> Moments:
    """Moments of populations `h` [q]; with a `force` density [d], the velocity is that of the middle of the step."""
    excess = reduce(add, h)
    flux = [h[i] - h[o] for i, o in lattice.pairs()]
    momentum = [total([lattice.c[i][axis] for i, _ in lattice.pairs()], flux) for axis in range(lattice.d)]
    if force is not None:
        momentum = [j + 0.5 * f for j, f in zip(momentum, force, strict=True)]
    per_density = 1.0 / (excess + 1.0)
    return Moments(excess, momentum, [j * per_density for j in momentum])


def total(signs: Sequence[int], values: Sequence[Value]) -> Value:
    """Sum of values times their factors, which are -1, 0 or 1."""
    there = [(sign, value) for sign, value in zip(signs, values, strict=True) if sign]
    sign, result = there[0]
    result = result if sign > 0 else -result
    for sign, value in there[1:]:
        result = result + value if sign > 0 else result - value
    return result


def equilibrium(lattice: Lattice, of: Moments) -> tuple[Value, list[Source]]:
    """Second-order equilibrium: that of rest, and of each pair of velocities."""
    excess, momentum, velocity = of
    energy = reduce(add, (j * u for j, u in zip(momentum, velocity, strict=True)))
    base = excess - 1.5 * energy
    pairs = []
    for i, _ in lattice.pairs():
        c, w = lattice.c[i], lattice.w[i]
        along, speed = total(c, momentum), total(c, velocity)
        pairs.append(Source(w * (base + 4.5 * along * speed), (3.0 * w) * along))
    return lattice.w[0] * base, pairs


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


def stress(lattice: Lattice, h: Sequence[Value], of: Moments, force: Sequence[Value] | None) -> dict:
    """Second moments (a, b) -> value, a <= b, of the part of `h` that is not in equilibrium."""
    _, balanced = equilibrium(lattice, of)
    departure = [h[i] + h[o] - 2.0 * pair.even for (i, o), pair in zip(lattice.pairs(), balanced, strict=True)]
    result = {}
    for a, b in combinations_with_replacement(range(lattice.d), 2):
        result[a, b] = total([lattice.c[i][a] * lattice.c[i][b] for i, _ in lattice.pairs()], departure)
        if force is not None:  # the force alone would leave a stress
            result[a, b] = result[a, b] + 0.5 * (of.velocity[a] * force[b] + of.velocity[b] * force[a])
    return result
