"""Sums of populations over velocities, in double precision and in the order of velocities."""

from runkit.simd.compiled import kernel


@kernel
def totals(h, rows, arrival, c, excess, momentum):
    """Adds populations to `excess` [n_rows, n] and, times their velocities `c` [q, d], to `momentum` [d, n_rows, n].

    `rows` int64 [n_rows] are offsets of the first sites of rows, `arrival` int64 [q] where what has arrived lies.
    """
    for i in range(arrival.size):
        for row in range(rows.size):
            start, line = rows[row] + arrival[i], excess[row]
            for k in range(line.size):
                line[k] += h[start + k]
            for axis in range(c.shape[1]):
                if c[i, axis] != 0:
                    line = momentum[axis, row]
                    for k in range(line.size):
                        line[k] += c[i, axis] * h[start + k]
