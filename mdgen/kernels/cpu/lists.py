"""Neighbour lists: particles into cells, cells to an outer list, the outer list pruned to an inner one.

A row's neighbours are all particles that are within reach of it in any lane, in ascending order; with replicas as lanes
only those above the row's particle. Every copy of a particle (each replica) is entered in the cell it is in, so that
nothing is assumed about how far replicas have spread. Coordinates are int32 (see `lanes.nearest`).
"""

import numpy as np
from mdgen.kernels.cpu.compiled import helper, kernel

from mdgen.kernels.cpu.lanes import LANES, any_below, fma, load, nearest, peek, spread
from mdgen.kernels.cpu.rows import get_other, get_row, set_row_table, slot_of


@helper
def _cell(coordinate, slot, shape):
    """Cell of one copy of a particle."""
    cell = 0
    for axis in range(3):
        fraction = np.int64(np.uint32(coordinate[slot + axis * LANES]))
        cell = cell * shape[axis] + ((fraction * shape[axis]) >> 32)
    return cell


@helper
def _bin(replicas, coordinate, n_copies, shape, home):
    """Cells that hold each particle in `home` [n, n_copies], -1 where repeated; start and members of each cell."""
    n = home.shape[0]
    first = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int64)
    for i in range(n):
        for copy in range(n_copies):
            cell = _cell(coordinate, slot_of(replicas, i) + copy, shape)
            for earlier in range(copy):
                if home[i, earlier] == cell:
                    cell = -1
                    break
            home[i, copy] = cell
            if cell >= 0:
                first[cell + 1] += 1
    first = np.cumsum(first)
    member = np.empty(first[-1], np.int32)
    filled = first[:-1].copy()
    for i in range(n):
        for copy in range(n_copies):
            cell = home[i, copy]
            if cell >= 0:
                member[filled[cell]] = i
                filled[cell] += 1
    return first, member


@helper
def _near(replicas, x, y, z, coordinate, j, limit, scale_x, scale_y, scale_z):
    """Whether particle j is within reach of the row in any lane."""
    slot = slot_of(replicas, j)
    dx = nearest(x - get_other(replicas, coordinate, slot, 0)) * scale_x
    dy = nearest(y - get_other(replicas, coordinate, slot, 1)) * scale_y
    dz = nearest(z - get_other(replicas, coordinate, slot, 2)) * scale_z
    return any_below(fma(dx, dx, fma(dy, dy, dz * dz)), limit)


@helper
def _row_cells(replicas, home, rows, at, cells):
    """Distinct cells that the row is in; returns how many."""
    count = 0
    for lane in range(LANES):
        cell = home[rows[at + lane], min(lane, home.shape[1] - 1) if replicas else 0]
        known = cell < 0
        for earlier in range(count):
            known = known or cells[earlier] == cell
        if not known:
            cells[count] = cell
            count += 1
    return count


@kernel
def build(replicas, n_copies, coordinate, rows, slots, kinds, species, limit, scale, shape, reach, start, entry):
    """List every pair within `limit` (squared, per pair of species), looking `reach` cells away; returns the length of
    the list, or -1 if `entry` is too short for it."""
    n = species.size
    scale_x, scale_y, scale_z = spread(scale, 0), spread(scale, 1), spread(scale, 2)
    home = np.empty((n, n_copies), np.int64)
    first, member = _bin(replicas, coordinate, n_copies, shape, home)
    seen, visited = np.full(n, -1, np.int64), np.full(first.size, -1, np.int64)
    row_limit = np.empty(int(np.sqrt(limit.size)) * LANES, limit.dtype)
    cells = np.empty(LANES, np.int64)
    span = np.minimum(2 * reach + 1, shape)
    length = 0
    for row in range(start.size - 1):
        at = row * LANES
        start[row] = length
        lowest = rows[at] + 1 if replicas else 0
        set_row_table(replicas, limit, kinds, at, row_limit)
        x, y, z = (get_row(replicas, coordinate, slots, at, 0), get_row(replicas, coordinate, slots, at, 1),
                   get_row(replicas, coordinate, slots, at, 2))
        for c in range(_row_cells(replicas, home, rows, at, cells)):
            home_z = cells[c] % shape[2]
            home_y = cells[c] // shape[2] % shape[1]
            home_x = cells[c] // shape[2] // shape[1]
            for a in range(span[0]):
                for b in range(span[1]):
                    column = ((home_x + a - reach[0]) % shape[0]) * shape[1] + (home_y + b - reach[1]) % shape[1]
                    for d in range(span[2]):
                        cell = column * shape[2] + (home_z + d - reach[2]) % shape[2]
                        if visited[cell] == row:
                            continue
                        visited[cell] = row
                        for m in range(first[cell], first[cell + 1]):
                            j = member[m]
                            if j < lowest or seen[j] == row:
                                continue
                            seen[j] = row
                            if _near(replicas, x, y, z, coordinate, j, load(row_limit, peek(species, j) * LANES),
                                     scale_x, scale_y, scale_z):
                                if length == entry.size:
                                    return -1
                                entry[length] = j
                                length += 1
        entry[start[row]:length].sort()
    start[start.size - 1] = length
    return length


@kernel
def prune(replicas, coordinate, rows, slots, kinds, species, limit, scale, outer_start, outer, start, entry):
    """Keep of the outer list what is within `limit`; `entry` is at least as long as `outer`."""
    scale_x, scale_y, scale_z = spread(scale, 0), spread(scale, 1), spread(scale, 2)
    row_limit = np.empty(int(np.sqrt(limit.size)) * LANES, limit.dtype)
    length = 0
    for row in range(start.size - 1):
        at = row * LANES
        start[row] = length
        set_row_table(replicas, limit, kinds, at, row_limit)
        x, y, z = (get_row(replicas, coordinate, slots, at, 0), get_row(replicas, coordinate, slots, at, 1),
                   get_row(replicas, coordinate, slots, at, 2))
        for k in range(outer_start[row], outer_start[row + 1]):
            j = peek(outer, k)
            entry[length] = j
            if _near(replicas, x, y, z, coordinate, j, load(row_limit, peek(species, j) * LANES),
                     scale_x, scale_y, scale_z):
                length += 1
    start[start.size - 1] = length
    return length
