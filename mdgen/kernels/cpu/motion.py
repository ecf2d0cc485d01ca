"""Velocity Verlet in float64, and how far places have moved.

Source: W. C. Swope et al., J. Chem. Phys. 76, 637 (1982), doi:10.1063/1.442716.
Units: mass 1; `step` [LANES] is the time step of each lane, `unit` [3] places per length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mdgen.kernels.cpu.clusters import BLOCK
from mdgen.kernels.cpu.pairs import Formulas
from runkit.simd.comparisons import maximum, minimum
from runkit.simd.compiled import kernel
from runkit.simd.lanes import (
    LANES,
    as_float64,
    fma,
    load,
    load_splat,
    minimum_image,
    splat,
    store,
    to_fixed_point,
    zeros,
)
from runkit.simd.parts import helper


@kernel
def locate(position, unit, place):
    """Write the places of positions: int32 or float64, whichever `place` holds."""
    for block in range(0, position.size, BLOCK):
        for component in range(3):
            at = block + component * LANES
            store(place, at, to_fixed_point(load(position, at), load_splat(unit, component), place))


@kernel
def kick(velocity, force, step):
    """Half a step of the velocities."""
    half = load(step, 0) * splat(0.5)
    for at in range(0, velocity.size, LANES):
        store(velocity, at, fma(half, as_float64(load(force, at)), load(velocity, at)))


@helper
def _drift(n_kicks, position, velocity, force, step):
    """`n_kicks` half steps of the velocities, each rounded for itself, then a step of the positions."""
    whole = load(step, 0)
    half = whole * splat(0.5)
    for at in range(0, velocity.size, LANES):
        v = load(velocity, at)
        # Not one whole kick: a run that was stopped between the halves has rounded twice, too.
        for _ in range(n_kicks):
            v = fma(half, as_float64(load(force, at)), v)
        store(velocity, at, v)
        store(position, at, fma(whole, v, load(position, at)))


@kernel
def largest_approach(replicas, coordinate, check):
    """The largest sum of two displacements in one replica since a list was made: what a pair may have closed in by.

    Not twice the largest displacement: a list would be made anew too early for one fast particle alone.
    """
    first, second = zeros(check.scale), zeros(check.scale)
    for block in range(0, coordinate.size, BLOCK):
        square = zeros(check.scale)
        for component in range(3):
            at = block + component * LANES
            d = minimum_image(load(coordinate, at) - load(check.reference, at)) * load_splat(check.scale, component)
            square = fma(d, d, square)
        second = maximum(minimum(square, first), second)
        first = maximum(square, first)
    top = np.empty(2 * LANES, check.scale.dtype)
    store(top, 0, first)
    store(top, LANES, second)
    one, other, most = np.float32(0), np.float32(0), np.float32(0)
    for lane in range(LANES):
        # Only particles of one replica come closer: each lane for itself, or all of them together.
        if replicas:
            one, other = np.float32(0), np.float32(0)
        for square in (top[lane], top[LANES + lane]):
            other = max(other, min(one, square))
            one = max(one, square)
        most = max(most, np.sqrt(one) + np.sqrt(other))
    return most


@kernel
def kinetic_energy(replicas, velocity, prerounding, energy):
    """Write the kinetic energy of each lane, or of the one replica into energy[0].

    Squares are rounded by `prerounding` (see `mdgen.kernels`), so that sums of them are exact, whatever their order.
    """
    total, rounding = zeros(velocity), splat(prerounding)
    for block in range(0, velocity.size, BLOCK):
        square = zeros(velocity)
        for component in range(3):
            v = load(velocity, block + component * LANES)
            square = fma(v, v, square)
        total = total + (square + rounding - rounding)
    store(energy, 0, total * splat(0.5))
    if not replicas:
        energy[0] = energy.sum()


def make_integrate(forces: Callable[..., Any], formulas: Formulas) -> Callable[..., Any]:
    """The kernel of many steps with these forces:
    integrate(replicas, n_steps, n_kicks, state, step, unit, clusters, pairs, law, check).

    Up to `n_steps` steps, the first with `n_kicks` half kicks before its drift, without the half kick at the end.
    Returns how many are done: if fewer, the next one has drifted to where the list may lack pairs.
    """

    def integrate(replicas, n_steps, n_kicks, state, step, unit, clusters, pairs, law, check):
        for i_step in range(n_steps):
            _drift(n_kicks, state.position, state.velocity, state.force, step)
            n_kicks = 2  # the last half of this step, which is left out here, and the first of the next
            locate(state.position, unit, state.coordinate)
            # "not <=" holds for a position that is no number as well.
            if not largest_approach(replicas, state.coordinate, check) <= check.skin:
                return i_step
            # Forces in double precision take places of more digits than the int32 of lists.
            if state.place.itemsize > state.coordinate.itemsize:
                locate(state.position, unit * 2.0**-32, state.place)
            forces(replicas, state.place, state.force, clusters, pairs, law)
        return n_steps

    return formulas.compiled(integrate)
