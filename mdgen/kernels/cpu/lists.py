"""Neighbour lists: an outer list from a tree of boxes, and the inner list pruned from it.

A cluster's neighbours are all particles that are within reach of it in any lane, in ascending order; with replicas as
lanes only those above the cluster's particle. The table of the law holds one squared distance for each pair of species.
"""

import numpy as np

from mdgen.kernels.cpu.boxes import grow, search
from mdgen.kernels.cpu.clusters import displacement, load_position, set_cluster_table, slot_of
from runkit.simd.comparisons import lowest_bit, mask_below
from runkit.simd.compiled import kernel
from runkit.simd.lanes import LANES, element, load, load_splat
from runkit.simd.parts import helper

ONE = np.uint64(1)


@helper
def _is_near(replicas, x, y, z, coordinate, j, law, cluster_table, scale_x, scale_y, scale_z):
    """Whether particle j is within reach of the cluster in any lane."""
    slot = slot_of(replicas, j)
    _, _, _, square = displacement(replicas, coordinate, slot, x, y, z, scale_x, scale_y, scale_z)
    return mask_below(square, load(cluster_table, element(law.species, j) * LANES)) != 0


@helper
def _sort(entry, begin, end, words, summary):
    """Sort distinct entries by way of one bit for each particle; `words` and `summary` are zero before and after.

    The tree gives neighbours in its own order, which changes whenever particles are sorted anew. Sums must not depend
    on it, so every list ascends. A bit for each particle sorts in one pass, with no comparisons that are mispredicted.
    """
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


def build(replicas, coordinate, ranked, clusters, pairs, law) -> int:
    """List all pairs within reach; `ranked` are the particles in an order in space.

    Returns the length of the list, or -1 if `pairs` cannot hold it.
    """
    return _build(replicas, coordinate, grow(replicas, coordinate, ranked, law.scale), ranked, clusters, pairs, law)


@kernel
def _build(replicas, coordinate, tree, ranked, clusters, pairs, law):
    # A constant argument: each is compiled by itself, with one kind of lanes and no branch within the loops.
    if replicas:
        return _build_for(True, coordinate, tree, ranked, clusters, pairs, law)
    return _build_for(False, coordinate, tree, ranked, clusters, pairs, law)


@helper
def _build_for(replicas, coordinate, tree, ranked, clusters, pairs, law):
    scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
    n = law.species.size
    found, spare = np.empty(n + LANES, np.int64), np.empty(n + LANES, np.int64)
    words, summary = np.zeros((n >> 6) + 1, np.uint64), np.zeros((n >> 12) + 1, np.uint64)
    cluster_table = np.empty(int(np.sqrt(law.table.size)) * LANES, law.table.dtype)
    longest = law.table.max()  # the tree knows no species; what is near by those of a pair is decided below
    length = 0
    for cluster in range(pairs.start.size - 1):
        at = cluster * LANES
        pairs.start[cluster] = length
        lowest = clusters.particle[at] + 1 if replicas else 0
        set_cluster_table(replicas, law.table, clusters, at, cluster_table)
        x, y, z = load_position(replicas, coordinate, clusters, at)
        ranks, count = search(tree, cluster, longest, law.scale, found, spare)
        if length + count > pairs.entry.size:  # for all candidates at once: the loops below need no check of their own
            return -1
        n_candidates = 0
        for k in range(count):
            j = element(ranked, element(ranks, k))
            ranks[n_candidates] = j  # in the memory of the ranks, none of which is read again
            n_candidates += j >= lowest
        for k in range(n_candidates):
            j = np.int32(element(ranks, k))
            pairs.entry[length] = j  # always, and kept if it is near: no branch to mispredict
            length += _is_near(replicas, x, y, z, coordinate, j, law, cluster_table, scale_x, scale_y, scale_z)
        _sort(pairs.entry, pairs.start[cluster], length, words, summary)
    pairs.start[pairs.start.size - 1] = length
    return length


@kernel
def prune(replicas, coordinate, outer, clusters, pairs, law):
    """Keep of the outer list what is within reach; `pairs` can hold all of it."""
    if replicas:
        _prune(True, coordinate, outer, clusters, pairs, law)
    else:
        _prune(False, coordinate, outer, clusters, pairs, law)


@helper
def _prune(replicas, coordinate, outer, clusters, pairs, law):
    scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
    cluster_table = np.empty(int(np.sqrt(law.table.size)) * LANES, law.table.dtype)
    length = 0
    for cluster in range(pairs.start.size - 1):
        at = cluster * LANES
        pairs.start[cluster] = length
        set_cluster_table(replicas, law.table, clusters, at, cluster_table)
        x, y, z = load_position(replicas, coordinate, clusters, at)
        for k in range(outer.start[cluster], outer.start[cluster + 1]):
            j = element(outer.entry, k)
            pairs.entry[length] = j  # always, and kept if it is near: no branch to mispredict
            length += _is_near(replicas, x, y, z, coordinate, j, law, cluster_table, scale_x, scale_y, scale_z)
    pairs.start[pairs.start.size - 1] = length
