"""Velocity Verlet on blocks [n_blocks, 3, LANES] in float64, and how far coordinates have moved.

Source: W. C. Swope et al., J. Chem. Phys. 76, 637 (1982), doi:10.1063/1.442716.
Units: mass 1; `step` is the time step of each lane.
"""

import numpy as np
from mdgen.kernels.cpu.compiled import helper, kernel

from mdgen.kernels.cpu.lanes import LANES, fill, fixed, fma, larger, load, nearest, smaller, spread, store, wide, wrapped, zeros
from mdgen.kernels.cpu.rows import BLOCK


@kernel
def kick(velocity, force, step):
    """Half a step of the velocities."""
    half = load(step, 0) * fill(0.5)
    for at in range(0, velocity.size, LANES):
        store(velocity, at, fma(half, wide(load(force, at)), load(velocity, at)))


@kernel
def drift(n_kicks, position, velocity, force, step, unit, coordinate):
    """`n_kicks` half steps of the velocities, then a step of the positions; int32 coordinates are `unit` per length."""
    whole = load(step, 0)
    half = whole * fill(0.5)
    for block in range(0, position.size, BLOCK):
        for component in range(3):
            at = block + component * LANES
            v = load(velocity, at)
            for _ in range(n_kicks):
                v = fma(half, wide(load(force, at)), v)
            x = fma(whole, v, load(position, at))
            store(velocity, at, v)
            store(position, at, x)
            store(coordinate, at, fixed(x, spread(unit, component)))


@kernel
def locate(position, unit, coordinate):
    """int32 coordinates of positions."""
    for block in range(0, position.size, BLOCK):
        for component in range(3):
            at = block + component * LANES
            store(coordinate, at, fixed(load(position, at), spread(unit, component)))


@kernel
def fractions(position, inverse_box, fraction):
    """Positions as fractions of the box in [0, 1)."""
    for block in range(0, position.size, BLOCK):
        for component in range(3):
            at = block + component * LANES
            store(fraction, at, wrapped(load(position, at) * spread(inverse_box, component)))


@kernel
def kinetic_energy(replicas, velocity, energy):
    """Kinetic energy of each lane, or of the one replica in energy[0]; summed in the order of the particles."""
    flat = np.zeros(LANES)
    total = zeros(velocity)
    joint = 0.0
    for block in range(0, velocity.size, BLOCK):
        square = zeros(velocity)
        for component in range(3):
            v = load(velocity, block + component * LANES)
            square = fma(v, v, square)
        if replicas:
            total = total + square
        else:
            store(flat, 0, square)
            for lane in range(LANES):
                joint += flat[lane]
    store(energy, 0, total * fill(0.5))
    if not replicas:
        energy[0] = 0.5 * joint


@kernel
def farthest(replicas, coordinate, reference, scale):
    """The largest sum of two displacements from `reference` within a replica: what a pair may have closed in by."""
    first, second = zeros(scale), zeros(scale)
    for block in range(0, coordinate.size, BLOCK):
        square = zeros(scale)
        for component in range(3):
            at = block + component * LANES
            d = nearest(load(coordinate, at) - load(reference, at)) * spread(scale, component)
            square = fma(d, d, square)
        second = larger(smaller(square, first), second)
        first = larger(square, first)
    top = np.empty((2, LANES), scale.dtype)
    flat = top.reshape(-1)
    store(flat, 0, first)
    store(flat, LANES, second)
    if replicas:
        return (np.sqrt(top[0]) + np.sqrt(top[1])).max()
    flat.sort()
    return np.sqrt(flat[-1]) + np.sqrt(flat[-2])
