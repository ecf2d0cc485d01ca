"""Forces and energies over a neighbour list, in one order of summation whatever the lanes hold.

The force on a particle is one running sum over its neighbours in ascending order, each term added by a fused
multiply-add. With replicas as lanes a pair is visited once, in the row of its lower particle, which starts from what
lower rows have left there; with particles as lanes each row visits all its neighbours. Both give the same bits, and
listed pairs out of range add exactly zero. Energies are float64 sums over rows of sums over higher neighbours.

Columns of the table of pairs: 48 epsilon sigma^12, -24 epsilon sigma^6, cutoff^2, energy at the cutoff.
"""

import numpy as np

from mdgen.kernels.cpu.rows import get_other, get_row, set_row, set_row_table, slot_of
from runkit.simd.compiled import helper, kernel
from runkit.simd.lanes import (
    LANES,
    fill,
    fma,
    keep_below,
    keep_unequal,
    load,
    minus,
    nearest,
    peek,
    spread,
    store,
    zeros,
)

COLUMNS = 4
STRIDE = COLUMNS * LANES


@helper
def _row_table(table):
    return np.empty(int(np.sqrt(table.size // COLUMNS)) * STRIDE, table.dtype)


@kernel
def forces(replicas, place, force, rows, near, law):
    """Write the force on every particle into the blocks `force`."""
    if replicas:
        _forces(True, place, force, rows, near, law)
    else:
        _forces(False, place, force, rows, near, law)


@helper
def _forces(replicas, place, force, rows, near, law):
    one, zero = fill(law.table.dtype.type(1)), zeros(law.table)
    scale_x, scale_y, scale_z = spread(law.scale, 0), spread(law.scale, 1), spread(law.scale, 2)
    row_table = _row_table(law.table)
    if replicas:
        force[:] = 0
    for row in range(near.start.size - 1):
        at = row * LANES
        set_row_table(replicas, law.table, rows, at, row_table)
        x, y, z = (get_row(replicas, place, rows, at, 0), get_row(replicas, place, rows, at, 1),
                   get_row(replicas, place, rows, at, 2))
        particle = load(rows.particle, at)
        force_x, force_y, force_z = zero, zero, zero
        if replicas:
            force_x, force_y, force_z = (get_row(replicas, force, rows, at, 0), get_row(replicas, force, rows, at, 1),
                                         get_row(replicas, force, rows, at, 2))
        for k in range(near.start[row], near.start[row + 1]):
            j = peek(near.entry, k)
            slot = slot_of(replicas, j)
            pair = peek(law.species, j) * STRIDE
            dx = nearest(x - get_other(replicas, place, slot, 0)) * scale_x
            dy = nearest(y - get_other(replicas, place, slot, 1)) * scale_y
            dz = nearest(z - get_other(replicas, place, slot, 2)) * scale_z
            square = fma(dx, dx, fma(dy, dy, dz * dz))
            inverse = one / square
            sixth = inverse * inverse * inverse
            strength = fma(load(row_table, pair), sixth, load(row_table, pair + LANES)) * (sixth * inverse)
            strength = keep_below(strength, square, load(row_table, pair + 2 * LANES))
            if replicas:
                store(force, slot, fma(minus(strength), dx, load(force, slot)))
                store(force, slot + LANES, fma(minus(strength), dy, load(force, slot + LANES)))
                store(force, slot + 2 * LANES, fma(minus(strength), dz, load(force, slot + 2 * LANES)))
            else:
                strength = keep_unequal(strength, particle, fill(j))
            force_x = fma(strength, dx, force_x)
            force_y = fma(strength, dy, force_y)
            force_z = fma(strength, dz, force_z)
        set_row(replicas, force, rows, at, 0, force_x)
        set_row(replicas, force, rows, at, 1, force_y)
        set_row(replicas, force, rows, at, 2, force_z)


@kernel
def energies(replicas, place, energy, virial, rows, near, law):
    """Write energy and r.F of every particle's pairs with higher ones into the x component of two blocks."""
    one, zero, twelfth, one_sixth = fill(1.0), zeros(law.table), fill(1.0 / 12.0), fill(1.0 / 6.0)
    scale_x, scale_y, scale_z = spread(law.scale, 0), spread(law.scale, 1), spread(law.scale, 2)
    row_table = _row_table(law.table)
    for row in range(near.start.size - 1):
        at = row * LANES
        set_row_table(replicas, law.table, rows, at, row_table)
        x, y, z = (get_row(replicas, place, rows, at, 0), get_row(replicas, place, rows, at, 1),
                   get_row(replicas, place, rows, at, 2))
        particle = load(rows.particle, at)
        row_energy, row_virial = zero, zero
        for k in range(near.start[row], near.start[row + 1]):
            j = peek(near.entry, k)
            slot = slot_of(replicas, j)
            pair = peek(law.species, j) * STRIDE
            dx = nearest(x - get_other(replicas, place, slot, 0)) * scale_x
            dy = nearest(y - get_other(replicas, place, slot, 1)) * scale_y
            dz = nearest(z - get_other(replicas, place, slot, 2)) * scale_z
            square = fma(dx, dx, fma(dy, dy, dz * dz))
            sixth = one / (square * square * square)
            repulsion, attraction = load(row_table, pair), load(row_table, pair + LANES)
            value = sixth * fma(repulsion * twelfth, sixth, attraction * one_sixth) - load(row_table, pair + 3 * LANES)
            work = sixth * fma(repulsion, sixth, attraction)
            if not replicas:
                value, work = keep_below(value, particle, fill(j)), keep_below(work, particle, fill(j))
            row_energy = row_energy + keep_below(value, square, load(row_table, pair + 2 * LANES))
            row_virial = row_virial + keep_below(work, square, load(row_table, pair + 2 * LANES))
        set_row(replicas, energy, rows, at, 0, row_energy)
        set_row(replicas, virial, rows, at, 0, row_virial)
