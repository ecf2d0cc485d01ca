"""Many steps of a block in one call, messages to its neighbours included: the items of its program, one by one."""

from functools import cache

from lbmgen.kernels import COPY, OUTLETS, RECEIVE, SEND, SWEEP, WALLS
from lbmgen.kernels.cpu.faces import outlets, walls
from lbmgen.kernels.cpu.mail import receive, send
from lbmgen.kernels.cpu.sweep import PARTS, make_sweep
from runkit.simd.compiled import kernel

EVEN = 0


@cache
def make_march(lattice, law, forced):
    """The compiled loop over steps for a lattice, a law and, if `forced`, a force density.

    Called as march(h, parity, program, places, numbers, copies, mail, links, faces, c, w, clock, tally): `parity` of
    the first step, `clock` [n_steps] and `tally` int64 [n_steps, d]; the others are fields of a `Part`.
    """
    sweep = make_sweep(lattice, law, forced)

    def march(h, parity, program, places, numbers, copies, mail, links, faces, c, w, clock, tally):
        step = 0
        while step < clock.size:
            first = (parity + step) % 2
            in_one_pass = first == EVEN and step + 1 < clock.size and program.both.size > 0
            items = program.both if in_one_pass else (program.even if first == EVEN else program.odd)
            for item in range(len(items)):
                operation, state, begin, end = items[item]
                now = step + state if in_one_pass else step
                if operation == SWEEP:
                    sweep(h, program.region, begin, end, places[state], numbers)
                elif operation == COPY:
                    source, target = copies.source[state], copies.target[state]
                    for k in range(begin, end):
                        h[target[k]] = h[source[k]]
                elif operation == WALLS:
                    walls(h, links, begin, end, state, clock[now], tally[now])
                elif operation == OUTLETS:
                    outlets(h, faces, begin, end, state, c, w)
                elif operation == SEND:
                    send(h, mail, begin)
                elif operation == RECEIVE:
                    receive(h, mail, begin)
            step += 2 if in_one_pass else 1

    return kernel(march, f"{lattice.name} {law} {forced}", PARTS)
