"""A tree of bounding boxes that finds what is near a row: eight boxes to a node, tested at once.

A leaf is the box around all copies of a particle (its replicas, where these are the lanes), so that nothing is assumed
about how far replicas have spread; nodes group LANES boxes that follow each other in `sorted`, an order in space.
Boxes are periodic: an int32 centre (see `lanes.nearest`) and half edges as lengths, not less than what they hold.
"""

import numpy as np

from mdgen.kernels.cpu.compiled import helper
from mdgen.kernels.cpu.lanes import LANES, bits_below, fill, fma, larger, load, lowest_bit, nearest, spread, store
from mdgen.kernels.cpu.rows import BLOCK

ABSENT = np.float32(-1e30)  # half edge of a box that is not there: far from everything
MARGIN = np.float32(1e-4)  # of the half edges, for rounding


@helper
def count_levels(n):
    """Levels of a tree over n leaves."""
    levels, blocks = 1, -(-n // LANES)
    while blocks > 1:
        blocks = -(-blocks // LANES)
        levels += 1
    return levels


@helper
def enclose(centers, halves, scale, center, half):
    """The box around LANES boxes: centers and halves [3, LANES], absent ones left out; one at least is present."""
    offset = np.empty(LANES, np.float32)
    for axis in range(3):
        at = axis * LANES
        store(offset, 0, nearest(load(centers, at) - spread(centers, at)) * spread(scale, axis))
        low, high = np.float32(np.inf), np.float32(-np.inf)
        for lane in range(LANES):
            if halves[at + lane] >= 0:
                low = min(low, offset[lane] - halves[at + lane])
                high = max(high, offset[lane] + halves[at + lane])
        middle = np.float32(0.5) * (low + high)
        center[axis] = centers[at] + np.int32(middle / scale[axis])
        half[axis] = np.float32(0.5) * (high - low) + MARGIN


@helper
def plant(leaf_center, leaf_half, scale):
    """All boxes, level by level from the leaves (blocks [n, 3, LANES] whose absent leaves come last).

    Returns centers, halves and the first block of each level.
    """
    n_blocks = leaf_center.size // BLOCK
    levels = count_levels(n_blocks * LANES)
    first = np.zeros(levels + 1, np.int64)
    for level in range(levels):
        first[level + 1] = first[level] + n_blocks
        n_blocks = -(-n_blocks // LANES)
    center = np.zeros(first[levels] * BLOCK, np.int32)
    half = np.full(first[levels] * BLOCK, ABSENT)
    center[: leaf_center.size] = leaf_center
    half[: leaf_half.size] = leaf_half
    box_center, box_half = np.empty(3, np.int32), np.empty(3, np.float32)
    for level in range(levels - 1):
        for block in range(first[level + 1] - first[level]):
            at = (first[level] + block) * BLOCK
            enclose(center[at : at + BLOCK], half[at : at + BLOCK], scale, box_center, box_half)
            parent = (first[level + 1] + block // LANES) * BLOCK + block % LANES
            for axis in range(3):
                center[parent + axis * LANES] = box_center[axis]
                half[parent + axis * LANES] = box_half[axis]
    return center, half, first


@helper
def search(tree_center, tree_half, first, center, half, square, scale, found, spare):
    """Places in `sorted` of the leaves whose boxes are closer than sqrt(square) to a box; returns the array that holds
    them (`found` or `spare`) and their number."""
    zero = fill(np.float32(0))
    limit = fill(square)
    found[0] = 0
    count = 1
    for level in range(first.size - 2, -1, -1):
        n_next = 0
        for k in range(count):
            block = found[k]
            total = zero
            for axis in range(3):
                at = (first[level] + block) * BLOCK + axis * LANES
                d = nearest(load(tree_center, at) - spread(center, axis)) * spread(scale, axis)
                gap = larger(larger(d, zero - d) - (load(tree_half, at) + spread(half, axis)), zero)
                total = fma(gap, gap, total)
            bits = bits_below(total, limit)
            while bits:
                spare[n_next] = block * LANES + lowest_bit(bits)
                n_next += 1
                bits &= bits - 1
        found, spare = spare, found
        count = n_next
    return found, count
