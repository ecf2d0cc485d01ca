"""What a row of a neighbour list is: eight replicas of one particle, or eight particles of one replica.

Arrays of the state are blocks [n_blocks, 3, LANES], flat. With replicas as lanes a block is a particle; with particles
as lanes it is LANES consecutive particles. `rows` holds the particle of every lane of every row, `slots` the offset of
its x component, `kinds` its species.
"""

from mdgen.kernels.cpu.compiled import helper, kernel

from mdgen.kernels.cpu.lanes import LANES, gather, load, peek, scatter, spread, store

BLOCK = 3 * LANES


@helper
def slot_of(replicas, particle):
    """Offset of the x component of a particle, in lane 0 where lanes are replicas."""
    return particle * BLOCK if replicas else particle // LANES * BLOCK + particle % LANES


@helper
def get_row(replicas, array, slots, at, component):
    """One component of the lanes of the row at `at`."""
    if replicas:
        return load(array, peek(slots, at) + component * LANES)
    return gather(array, slots, at, component * LANES)


@helper
def set_row(replicas, array, slots, at, component, value):
    """Write one component of the lanes of the row at `at`."""
    if replicas:
        store(array, peek(slots, at) + component * LANES, value)
    else:
        scatter(array, slots, at, component * LANES, value)


@helper
def get_other(replicas, array, slot, component):
    """One component of a neighbour: its replicas, or the one particle in every lane."""
    if replicas:
        return load(array, slot + component * LANES)
    return spread(array, slot + component * LANES)


@helper
def set_row_table(replicas, table, kinds, at, row_table):
    """Copy the part of a table [n_species, n_columns] that belongs to the lanes of a row: row_table [n_columns, LANES]."""
    n_columns = row_table.size // LANES
    for lane in range(LANES):
        first = peek(kinds, at if replicas else at + lane) * n_columns
        for column in range(n_columns):
            row_table[column * LANES + lane] = table[first + column]
