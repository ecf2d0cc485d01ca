"""Forces and energies over a neighbour list, in one order of summation whatever the lanes hold.

The force on a particle is one running sum over its neighbours in ascending order, each term added by a fused
multiply-add. With replicas as lanes a pair is visited once, in the row of its lower particle, which starts from what
lower rows have left there; with particles as lanes each row visits all its neighbours. Both give the same bits, and
listed pairs out of range add exactly zero. Energies are float64 sums over rows of sums over higher neighbours.

Units: `scale` turns coordinates (see `lanes.nearest`) into lengths. Columns of the table for each pair of species:
48 epsilon sigma^12, -24 epsilon sigma^6, cutoff^2, energy at the cutoff.
"""

import numpy as np
from mdgen.kernels.cpu.compiled import helper, kernel

from mdgen.kernels.cpu.lanes import LANES, fill, fma, keep_below, keep_unequal, load, nearest, peek, spread, store, zeros
from mdgen.kernels.cpu.rows import get_other, get_row, set_row, set_row_table, slot_of

COLUMNS = 4
STRIDE = COLUMNS * LANES


@kernel
def forces(replicas, coordinate, force, rows, slots, kinds, start, entry, species, table, scale):
    """Write the force on every particle into `force`, of the coordinates' blocks."""
    one, zero = fill(table.dtype.type(1)), zeros(table)
    scale_x, scale_y, scale_z = spread(scale, 0), spread(scale, 1), spread(scale, 2)
    row_table = np.empty(int(np.sqrt(table.size // COLUMNS)) * STRIDE, table.dtype)
    if replicas:
        force[:] = 0
    for row in range(start.size - 1):
        at = row * LANES
        set_row_table(replicas, table, kinds, at, row_table)
        x, y, z = (get_row(replicas, coordinate, slots, at, 0), get_row(replicas, coordinate, slots, at, 1),
                   get_row(replicas, coordinate, slots, at, 2))
        identity = load(rows, at)
        force_x, force_y, force_z = zero, zero, zero
        if replicas:
            force_x, force_y, force_z = (get_row(replicas, force, slots, at, 0), get_row(replicas, force, slots, at, 1),
                                         get_row(replicas, force, slots, at, 2))
        for k in range(start[row], start[row + 1]):
            j = peek(entry, k)
            slot = slot_of(replicas, j)
            pair = peek(species, j) * STRIDE
            dx = nearest(x - get_other(replicas, coordinate, slot, 0)) * scale_x
            dy = nearest(y - get_other(replicas, coordinate, slot, 1)) * scale_y
            dz = nearest(z - get_other(replicas, coordinate, slot, 2)) * scale_z
            square = fma(dx, dx, fma(dy, dy, dz * dz))
            inverse = one / square
            sixth = inverse * inverse * inverse
            strength = fma(load(row_table, pair), sixth, load(row_table, pair + LANES)) * (sixth * inverse)
            strength = keep_below(strength, square, load(row_table, pair + 2 * LANES))
            if replicas:
                back = zero - strength
                store(force, slot, fma(back, dx, load(force, slot)))
                store(force, slot + LANES, fma(back, dy, load(force, slot + LANES)))
                store(force, slot + 2 * LANES, fma(back, dz, load(force, slot + 2 * LANES)))
            else:
                strength = keep_unequal(strength, identity, fill(j))
            force_x = fma(strength, dx, force_x)
            force_y = fma(strength, dy, force_y)
            force_z = fma(strength, dz, force_z)
        set_row(replicas, force, slots, at, 0, force_x)
        set_row(replicas, force, slots, at, 1, force_y)
        set_row(replicas, force, slots, at, 2, force_z)


@kernel
def energies(replicas, coordinate, energy, virial, rows, slots, kinds, start, entry, species, table, scale):
    """Write potential energy and r.F of every particle's pairs with higher ones into component 0 of the blocks given."""
    one, zero = fill(table.dtype.type(1)), zeros(table)
    twelfth, sixth_part = fill(1.0 / 12.0), fill(1.0 / 6.0)
    scale_x, scale_y, scale_z = spread(scale, 0), spread(scale, 1), spread(scale, 2)
    row_table = np.empty(int(np.sqrt(table.size // COLUMNS)) * STRIDE, table.dtype)
    for row in range(start.size - 1):
        at = row * LANES
        set_row_table(replicas, table, kinds, at, row_table)
        x, y, z = (get_row(replicas, coordinate, slots, at, 0), get_row(replicas, coordinate, slots, at, 1),
                   get_row(replicas, coordinate, slots, at, 2))
        identity = load(rows, at)
        row_energy, row_virial = zero, zero
        for k in range(start[row], start[row + 1]):
            j = peek(entry, k)
            slot = slot_of(replicas, j)
            pair = peek(species, j) * STRIDE
            dx = nearest(x - get_other(replicas, coordinate, slot, 0)) * scale_x
            dy = nearest(y - get_other(replicas, coordinate, slot, 1)) * scale_y
            dz = nearest(z - get_other(replicas, coordinate, slot, 2)) * scale_z
            square = fma(dx, dx, fma(dy, dy, dz * dz))
            sixth = one / (square * square * square)
            repulsion, attraction = load(row_table, pair), load(row_table, pair + LANES)
            cutoff, at_cutoff = load(row_table, pair + 2 * LANES), load(row_table, pair + 3 * LANES)
            value = sixth * fma(repulsion * twelfth, sixth, attraction * sixth_part) - at_cutoff
            work = sixth * fma(repulsion, sixth, attraction)
            if not replicas:
                value, work = keep_below(value, identity, fill(j)), keep_below(work, identity, fill(j))
            row_energy = row_energy + keep_below(value, square, cutoff)
            row_virial = row_virial + keep_below(work, square, cutoff)
        set_row(replicas, energy, slots, at, 0, row_energy)
        set_row(replicas, virial, slots, at, 0, row_virial)
