"""The lanes of a cluster of a list: replicas of one particle, or particles of one replica (see `mdgen.kernels`)."""

from runkit.simd.compiled import helper
from runkit.simd.lanes import LANES, element, gather, load, load_splat, scatter, store

BLOCK = 3 * LANES


@helper
def slot_of(replicas, particle):
    """Offset of the x component of a particle, in lane 0 where lanes are replicas."""
    return particle * BLOCK if replicas else 3 * particle - 2 * (particle & (LANES - 1))


@helper
def load_cluster(replicas, blocks, clusters, at, component):
    """One component of the lanes of the cluster at `at`."""
    if replicas:
        return load(blocks, element(clusters.slot, at) + component * LANES)
    return gather(blocks, clusters.slot, at, component * LANES)


@helper
def store_cluster(replicas, blocks, clusters, at, component, value):
    """Write one component of the lanes of the cluster at `at`."""
    if replicas:
        store(blocks, element(clusters.slot, at) + component * LANES, value)
    else:
        scatter(blocks, clusters.slot, at, component * LANES, value)


@helper
def load_neighbor(replicas, blocks, slot, component):
    """One component of a neighbour: its replicas, or the one particle in every lane."""
    if replicas:
        return load(blocks, slot + component * LANES)
    return load_splat(blocks, slot + component * LANES)


@helper
def set_cluster_table(replicas, table, clusters, at, cluster_table):
    """Copy the rows of a table [n_species, n_columns] for the lanes' species: cluster_table [n_columns, LANES],
    which still holds those of the cluster before."""
    if replicas and at and element(clusters.kind, at) == element(clusters.kind, at - LANES):
        return
    n_columns = cluster_table.size // LANES
    for lane in range(LANES):
        first = element(clusters.kind, at if replicas else at + lane) * n_columns
        for column in range(n_columns):
            cluster_table[column * LANES + lane] = table[first + column]
