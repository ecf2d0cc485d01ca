"""Neighbour lists: an outer list from a tree of boxes, and the inner list pruned from it.

A row's neighbours are all particles that are within reach of it in any lane, in ascending order; with replicas as lanes
only those above the row's particle. The table of the law holds one squared distance for each pair of species.
"""

import numpy as np

from mdgen.kernels.cpu.boxes import ABSENT, enclose, plant, search
from mdgen.kernels.cpu.compiled import helper, kernel
from mdgen.kernels.cpu.lanes import LANES, bits_below, fma, load, lowest_bit, nearest, peek, spread, store
from mdgen.kernels.cpu.rows import BLOCK, get_other, get_row, set_row_table, slot_of

ONE = np.uint64(1)


@helper
def _near(replicas, x, y, z, coordinate, j, law, row_table, scale_x, scale_y, scale_z):
    """Whether particle j is within reach of the row in any lane."""
    slot = slot_of(replicas, j)
    dx = nearest(x - get_other(replicas, coordinate, slot, 0)) * scale_x
    dy = nearest(y - get_other(replicas, coordinate, slot, 1)) * scale_y
    dz = nearest(z - get_other(replicas, coordinate, slot, 2)) * scale_z
    square = fma(dx, dx, fma(dy, dy, dz * dz))
    return bits_below(square, load(row_table, peek(law.species, j) * LANES)) != 0


@helper
def _leaves(replicas, coordinate, ranked, scale):
    """The box of each particle, in blocks [n, 3, LANES] in the order of `ranked`."""
    n_blocks = -(-ranked.size // LANES)
    center, half = np.zeros(n_blocks * BLOCK, np.int32), np.full(n_blocks * BLOCK, ABSENT)
    point = np.zeros(BLOCK, np.float32)
    box_center, box_half = np.empty(3, np.int32), np.zeros(3, np.float32)
    for rank in range(ranked.size):
        slot = slot_of(replicas, ranked[rank])
        if replicas:
            enclose(coordinate[slot : slot + BLOCK], point, scale, box_center, box_half)
        for axis in range(3):
            at = rank // LANES * BLOCK + axis * LANES + rank % LANES
            center[at] = box_center[axis] if replicas else coordinate[slot + axis * LANES]
            half[at] = box_half[axis]
    return center, half


@helper
def _sort(entry, begin, end, words, summary):
    """Sort distinct entries by way of one bit for each particle; `words` and `summary` are zero before and after."""
    for k in range(begin, end):
        word = entry[k] >> 6
        words[word] |= ONE << np.uint64(entry[k] & 63)
        summary[word >> 6] |= ONE << np.uint64(word & 63)
    for group in range(summary.size):
        while summary[group]:
            word = (group << 6) + np.int64(lowest_bit(summary[group]))
            summary[group] &= summary[group] - ONE
            bits = words[word]
            words[word] = 0
            while bits:
                entry[begin] = (word << 6) + np.int64(lowest_bit(bits))
                bits &= bits - ONE
                begin += 1


@kernel
def build(replicas, coordinate, ranked, rows, near, law):
    """List all pairs within reach; `ranked` are the particles in an order in space.

    Returns the length of the list, or -1 if there is no room for it.
    """
    n = law.species.size
    scale_x, scale_y, scale_z = spread(law.scale, 0), spread(law.scale, 1), spread(law.scale, 2)
    leaf_center, leaf_half = _leaves(replicas, coordinate, ranked, law.scale)
    tree_center, tree_half, first = plant(leaf_center, leaf_half, law.scale)
    found, spare = np.empty((2, leaf_center.size // 3 + LANES), np.int64)
    words, summary = np.zeros((n >> 6) + 1, np.uint64), np.zeros((n >> 12) + 1, np.uint64)
    row_table = np.empty(int(np.sqrt(law.table.size)) * LANES, law.table.dtype)
    point, lanes = np.zeros(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    center, half = np.empty(3, np.int32), np.empty(3, np.float32)
    farthest = law.table.max()
    length = 0
    for row in range(near.start.size - 1):
        at = row * LANES
        near.start[row] = length
        lowest = rows.particle[at] + 1 if replicas else 0
        set_row_table(replicas, law.table, rows, at, row_table)
        x, y, z = (get_row(replicas, coordinate, rows, at, 0), get_row(replicas, coordinate, rows, at, 1),
                   get_row(replicas, coordinate, rows, at, 2))
        store(lanes, 0, x)
        store(lanes, LANES, y)
        store(lanes, 2 * LANES, z)
        enclose(lanes, point, law.scale, center, half)
        ranks, count = search(tree_center, tree_half, first, center, half, farthest, law.scale, found, spare)
        if length + count > near.entry.size:
            return -1
        for k in range(count):
            j = ranked[ranks[k]]
            if j >= lowest:
                near.entry[length] = j
                length += _near(replicas, x, y, z, coordinate, j, law, row_table, scale_x, scale_y, scale_z)
        _sort(near.entry, near.start[row], length, words, summary)
    near.start[near.start.size - 1] = length
    return length


@kernel
def prune(replicas, coordinate, outer, rows, near, law):
    """Keep of the outer list what is within reach; there is room for all of it."""
    scale_x, scale_y, scale_z = spread(law.scale, 0), spread(law.scale, 1), spread(law.scale, 2)
    row_table = np.empty(int(np.sqrt(law.table.size)) * LANES, law.table.dtype)
    length = 0
    for row in range(near.start.size - 1):
        at = row * LANES
        near.start[row] = length
        set_row_table(replicas, law.table, rows, at, row_table)
        x, y, z = (get_row(replicas, coordinate, rows, at, 0), get_row(replicas, coordinate, rows, at, 1),
                   get_row(replicas, coordinate, rows, at, 2))
        for k in range(outer.start[row], outer.start[row + 1]):
            j = peek(outer.entry, k)
            near.entry[length] = j
            length += _near(replicas, x, y, z, coordinate, j, law, row_table, scale_x, scale_y, scale_z)
    near.start[near.start.size - 1] = length
