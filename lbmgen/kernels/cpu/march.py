"""Many steps of a block that has no neighbours, in one call."""

from functools import cache

from lbmgen.kernels.cpu.faces import copy, outlets, walls
from lbmgen.kernels.cpu.sweep import PARTS, make_sweep
from runkit.simd.compiled import kernel


@cache
def make_march(lattice, law, forced):
    """The compiled loop over steps for a lattice, a law and, if `forced`, a force density.

    Called as march(h, parity, region, places, numbers, copies, links, faces, c, w, clock, tally): `parity` of the
    first step, `clock` [n_steps] and `tally` int64 [n_steps, d].
    """
    sweep = make_sweep(lattice, law, forced)

    def march(h, parity, region, places, numbers, copies, links, faces, c, w, clock, tally):
        for step in range(clock.size):
            state = (parity + step) % 2
            sweep(h, region, places[state], numbers)
            copy(h, copies.source[state], copies.target[state])
            walls(h, links, state, clock[step], tally[step])
            outlets(h, faces, state, c, w)

    return kernel(march, f"{lattice.name} {law} {forced}", PARTS)
