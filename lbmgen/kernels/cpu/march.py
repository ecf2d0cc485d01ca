"""Many steps of a block that has no neighbours, in one call.

In blocks larger than the cache an even step and the odd one after it go through memory together: a row takes its odd
step as soon as the rows beside it have their even one and their boundaries, while all of that still lies in the cache.
Each place is touched by one site in a step, so this changes the order of sites and no result.

Source: G. Wellein et al., Proc. COMPSAC 2009, 579, doi:10.1109/COMPSAC.2009.82 (wavefronts).
"""

from functools import cache

from lbmgen.kernels.cpu.faces import copy, outlets, some_outlets, some_walls, walls
from lbmgen.kernels.cpu.sweep import PARTS, make_sweep_runs
from runkit.simd.compiled import kernel

EVEN, ODD = 0, 1


@cache
def make_march(lattice, law, forced):
    """The compiled loop over steps for a lattice, a law and, if `forced`, a force density.

    Called as march(h, parity, region, rows, places, numbers, copies, links, faces, c, w, clock, tally): `parity` of the
    first step, `clock` [n_steps] and `tally` int64 [n_steps, d].
    """
    sweep = make_sweep_runs(lattice, law, forced)

    def march(h, parity, region, rows, places, numbers, copies, links, faces, c, w, clock, tally):
        step, n_rows = 0, rows.region.size - 1
        while step < clock.size:
            state = (parity + step) % 2
            both = state == EVEN and step + 1 < clock.size and rows.order.size > 0
            for k in range(2 * n_rows if both else n_rows):
                row, kind = (rows.order[k, 0], rows.order[k, 1]) if both else (k, state)
                if both and kind == ODD:
                    first, last = row + 1 if row else 0, min(row + 2, n_rows)
                    begin, end = rows.links[first], rows.links[last]
                    if begin < end:
                        some_walls(h, links, begin, end, EVEN, clock[step], tally[step])
                    begin, end = rows.outlets[first], rows.outlets[last]
                    if begin < end:
                        some_outlets(h, faces, begin, end, EVEN, c, w)
                sweep(h, region, rows.region[row], rows.region[row + 1], places[kind], numbers)
                if both and kind == EVEN:
                    for each in range(rows.copies[k], rows.copies[k + 1]):
                        h[rows.target[each]] = h[rows.source[each]]
            if both:
                step, state = step + 1, ODD
            copy(h, copies.source[state], copies.target[state])
            walls(h, links, state, clock[step], tally[step])
            outlets(h, faces, state, c, w)
            step += 1

    return kernel(march, f"{lattice.name} {law} {forced}", PARTS)
