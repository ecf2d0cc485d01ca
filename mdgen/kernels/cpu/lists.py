"""Neighbour lists: an outer list from a tree of boxes, and the inner list pruned from it.

A row's neighbours are all particles that are within reach of it in any lane, in ascending order; with replicas as lanes
only those above the row's particle. The table of the law holds one squared distance for each pair of species.
"""

import numpy as np

from mdgen.kernels.cpu.boxes import grow, search
from mdgen.kernels.cpu.rows import get_other, get_row, set_row_table, slot_of
from runkit.simd.compiled import helper, kernel
from runkit.simd.lanes import LANES, element, fma, load, load_splat, lowest_bit, mask_below, minimum_image

ONE = np.uint64(1)


@helper
def _near(replicas, x, y, z, coordinate, j, law, row_table, scale_x, scale_y, scale_z):
    """Whether particle j is within reach of the row in any lane."""
    slot = slot_of(replicas, j)
    dx = minimum_image(x - get_other(replicas, coordinate, slot, 0)) * scale_x
    dy = minimum_image(y - get_other(replicas, coordinate, slot, 1)) * scale_y
    dz = minimum_image(z - get_other(replicas, coordinate, slot, 2)) * scale_z
    square = fma(dx, dx, fma(dy, dy, dz * dz))
    return mask_below(square, load(row_table, element(law.species, j) * LANES)) != 0


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


def build(replicas, coordinate, ranked, rows, near, law) -> int:
    """List all pairs within reach; `ranked` are the particles in an order in space.

    Returns the length of the list, or -1 if `near` cannot hold it.
    """
    return _build(replicas, coordinate, grow(replicas, coordinate, ranked, law.scale), ranked, rows, near, law)


@kernel
def _build(replicas, coordinate, tree, ranked, rows, near, law):
    if replicas:
        return _build_for(True, coordinate, tree, ranked, rows, near, law)
    return _build_for(False, coordinate, tree, ranked, rows, near, law)


@helper
def _build_for(replicas, coordinate, tree, ranked, rows, near, law):
    scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
    n = law.species.size
    found, spare = np.empty(n + LANES, np.int64), np.empty(n + LANES, np.int64)
    words, summary = np.zeros((n >> 6) + 1, np.uint64), np.zeros((n >> 12) + 1, np.uint64)
    row_table = np.empty(int(np.sqrt(law.table.size)) * LANES, law.table.dtype)
    farthest = law.table.max()
    length = 0
    for row in range(near.start.size - 1):
        at = row * LANES
        near.start[row] = length
        lowest = rows.particle[at] + 1 if replicas else 0
        set_row_table(replicas, law.table, rows, at, row_table)
        x, y, z = (get_row(replicas, coordinate, rows, at, 0), get_row(replicas, coordinate, rows, at, 1),
                   get_row(replicas, coordinate, rows, at, 2))
        ranks, count = search(tree, row, farthest, law.scale, found, spare)
        if length + count > near.entry.size:
            return -1
        n_candidates = 0
        for k in range(count):
            j = element(ranked, element(ranks, k))
            ranks[n_candidates] = j
            n_candidates += j >= lowest
        for k in range(n_candidates):
            j = np.int32(element(ranks, k))
            near.entry[length] = j
            length += _near(replicas, x, y, z, coordinate, j, law, row_table, scale_x, scale_y, scale_z)
        _sort(near.entry, near.start[row], length, words, summary)
    near.start[near.start.size - 1] = length
    return length


@kernel
def prune(replicas, coordinate, outer, rows, near, law):
    """Keep of the outer list what is within reach; `near` can hold all of it."""
    if replicas:
        _prune(True, coordinate, outer, rows, near, law)
    else:
        _prune(False, coordinate, outer, rows, near, law)


@helper
def _prune(replicas, coordinate, outer, rows, near, law):
    scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
    row_table = np.empty(int(np.sqrt(law.table.size)) * LANES, law.table.dtype)
    length = 0
    for row in range(near.start.size - 1):
        at = row * LANES
        near.start[row] = length
        set_row_table(replicas, law.table, rows, at, row_table)
        x, y, z = (get_row(replicas, coordinate, rows, at, 0), get_row(replicas, coordinate, rows, at, 1),
                   get_row(replicas, coordinate, rows, at, 2))
        for k in range(outer.start[row], outer.start[row + 1]):
            j = element(outer.entry, k)
            near.entry[length] = j
            length += _near(replicas, x, y, z, coordinate, j, law, row_table, scale_x, scale_y, scale_z)
    near.start[near.start.size - 1] = length
