"""A tree of bounding boxes that finds what is near a cluster: LANES boxes to a node, tested at once.

A leaf is the box around all copies of a particle (its replicas, where these are the lanes), so that nothing is assumed
about how far replicas have diverged; a node holds LANES boxes that follow each other in an order in space. Boxes are
periodic: an int32 centre and half edges as lengths. A gap between two boxes is a bound below the distances in them.
"""

from typing import NamedTuple

import numpy as np

from mdgen.kernels.cpu.clusters import BLOCK
from runkit.simd.comparisons import lowest_bit, mask_below, maximum
from runkit.simd.lanes import LANES, fma, load, load_splat, minimum_image, splat
from runkit.simd.parts import helper

ABSENT = np.float32(-1e30)  # half edge of a box that is not there: far from everything
MARGIN = np.float32(1e-4)  # of half edges, for rounding


class Tree(NamedTuple):
    """Blocks [n, 3, LANES] of centers and halves, level after level from the leaves, the first block of each level, and
    the boxes of the clusters [n_clusters * 3]."""

    center: np.ndarray
    half: np.ndarray
    first: np.ndarray
    cluster_center: np.ndarray
    cluster_half: np.ndarray


def grow(replicas, coordinate, ranked, scale) -> Tree:
    """The tree over particles `ranked` in space, and the boxes of all clusters."""
    blocks = coordinate.reshape(-1, 3, LANES).transpose(0, 2, 1)
    if replicas:
        cluster_center, cluster_half = _around(blocks, np.zeros(blocks.shape, np.float32), scale)
        center, half = cluster_center[ranked], cluster_half[ranked]
    else:
        center = blocks.reshape(-1, 3)[ranked]
        half = np.zeros(center.shape, np.float32)
    centers, halves, first = [], [], [0]
    while True:
        # A box that is not there has a negative half edge: it neither enlarges the box around it nor is ever near.
        spare = -len(center) % LANES
        center = np.pad(center, ((0, spare), (0, 0)), mode="edge").reshape(-1, LANES, 3)
        half = np.pad(half, ((0, spare), (0, 0)), constant_values=ABSENT).reshape(-1, LANES, 3)
        centers.append(center.transpose(0, 2, 1).ravel())
        halves.append(half.transpose(0, 2, 1).ravel())
        first.append(first[-1] + len(center))
        only = len(center) == 1
        center, half = _around(center, half, scale)
        # With particles as lanes a cluster is LANES particles that follow each other in space: a node of leaves.
        if len(first) == 2 and not replicas:
            cluster_center, cluster_half = center, half
        if only:
            break
    blocks = np.concatenate(centers), np.concatenate(halves), np.array(first)
    return Tree(*blocks, cluster_center.ravel(), cluster_half.ravel())


def _around(center, half, scale) -> tuple[np.ndarray, np.ndarray]:
    """The box around each group of boxes [n_groups, LANES, 3]."""
    # Relative to the first box of a group: differences of int32 places overflow to the minimum image, places do not.
    offset = (center - center[:, :1]).astype(np.float32) * scale
    low, high = (offset - half).min(axis=1), (offset + half).max(axis=1)
    middle = (0.5 * (low + high) / scale).astype(np.int64)
    return (center[:, 0] + middle).astype(np.int32), (high - low) / 2 + MARGIN


@helper
def search(tree, cluster, square, scale, found, spare):
    """Ranks of the particles whose boxes come closer than sqrt(square) to a cluster; returns the array that holds them
    (`found` or `spare`) and their number."""
    zero, limit = splat(np.float32(0)), splat(square)
    found[0] = 0
    count = 1
    for level in range(tree.first.size - 2, -1, -1):
        n_next = 0
        for k in range(count):
            block = tree.first[level] + found[k]
            total = zero
            for axis in range(3):
                at = block * BLOCK + axis * LANES
                between = load(tree.center, at) - load_splat(tree.cluster_center, 3 * cluster + axis)
                d = minimum_image(between) * load_splat(scale, axis)
                gap = maximum(d, zero - d) - (load(tree.half, at) + load_splat(tree.cluster_half, 3 * cluster + axis))
                gap = maximum(gap, zero)
                total = fma(gap, gap, total)
            bits = mask_below(total, limit)
            while bits:
                spare[n_next] = found[k] * LANES + lowest_bit(bits)
                n_next += 1
                bits &= bits - 1
        found, spare = spare, found
        count = n_next
    return found, count
