"""The lanes of a cluster of a list: replicas of one particle, or particles of one replica (see `mdgen.kernels`)."""

from runkit.simd.lanes import LANES, element, fma, gather, load, load_splat, minimum_image, scatter, store
from runkit.simd.parts import helper

BLOCK = 3 * LANES


@helper
def slot_of(replicas, particle):
    """Offset of the x component of a particle, in lane 0 where lanes are replicas."""
    # The second is BLOCK * (particle // LANES) + particle % LANES, without a division.
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
def load_position(replicas, blocks, clusters, at):
    """The three components of the lanes of the cluster at `at`."""
    return (
        load_cluster(replicas, blocks, clusters, at, 0),
        load_cluster(replicas, blocks, clusters, at, 1),
        load_cluster(replicas, blocks, clusters, at, 2),
    )


@helper
def displacement(replicas, blocks, slot, x, y, z, scale_x, scale_y, scale_z):
    """From a neighbour to a cluster at x, y, z, by the minimum image: three lengths, and the square of the distance."""
    dx = minimum_image(x - load_neighbor(replicas, blocks, slot, 0)) * scale_x
    dy = minimum_image(y - load_neighbor(replicas, blocks, slot, 1)) * scale_y
    dz = minimum_image(z - load_neighbor(replicas, blocks, slot, 2)) * scale_z
    # In this order on a GPU too: whether a pair is within reach has to come out alike.
    return dx, dy, dz, fma(dx, dx, fma(dy, dy, dz * dz))


@helper
def set_cluster_table(replicas, table, clusters, at, cluster_table):
    """Copy the rows of a table [n_species, n_columns] for the lanes' species: cluster_table [n_columns, LANES],
    which still holds those of the cluster before."""
    if replicas and at and element(clusters.kind, at) == element(clusters.kind, at - LANES):
        return
    # In the order of lanes, so that the loop over neighbours reads a column of all lanes by one load.
    n_columns = cluster_table.size // LANES
    for lane in range(LANES):
        first = element(clusters.kind, at if replicas else at + lane) * n_columns
        for column in range(n_columns):
            cluster_table[column * LANES + lane] = table[first + column]
