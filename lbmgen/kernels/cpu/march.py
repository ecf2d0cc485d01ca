"""Many steps of a block in one call, messages to its neighbours included: the items of its program, one by one."""

from functools import cache
from typing import Any, NamedTuple

from lbmgen.kernels import COPY, EVEN, OUTLETS, RECEIVE, SEND, SWEEP, WALLS
from lbmgen.kernels.cpu.faces import outlets, walls
from lbmgen.kernels.cpu.mail import receive, send
from lbmgen.kernels.cpu.sweep import PARTS, make_sweep
from runkit.simd.compiled import kernel


class Task(NamedTuple):
    """What a march needs to know of a block: fields of a `Part`, and its `Mail`."""

    program: Any
    places: Any
    numbers: Any
    copies: Any
    mail: Any
    links: Any
    outlets: Any
    c: Any
    w: Any

    @classmethod
    def of(cls, part, mail):
        """That of a part with its mail."""
        return cls(*(mail if name == "mail" else getattr(part, name) for name in cls._fields))


@cache
def make_march(lattice, law, forced):
    """The compiled loop over steps for a lattice, a law and, if `forced`, a force density.

    Called as march(h, task, parity, clock, tally): flat populations, a `Task`, `parity` of the first step, `clock`
    [n_steps], and `tally` int64 [n_steps, d], which gains what bodies take.
    """
    sweep = make_sweep(lattice, law, forced)

    def march(h, task, parity, clock, tally):
        program, copies = task.program, task.copies
        step = 0
        while step < clock.size:
            first = (parity + step) % 2
            in_one_pass = first == EVEN and step + 1 < clock.size and program.both.size > 0
            items = program.both if in_one_pass else (program.even if first == EVEN else program.odd)
            for item in range(len(items)):
                operation, state, begin, end = items[item]
                now = step + state if in_one_pass else step
                if operation == SWEEP:
                    sweep(h, program.region, begin, end, task.places[state], task.numbers)
                elif operation == COPY:
                    source, target = copies.source[state], copies.target[state]
                    for k in range(begin, end):
                        h[target[k]] = h[source[k]]
                elif operation == WALLS:
                    walls(h, task.links, begin, end, state, clock[now], tally[now])
                elif operation == OUTLETS:
                    outlets(h, task.outlets, begin, end, state, task.c, task.w)
                elif operation == SEND:
                    send(h, task.mail, begin)
                elif operation == RECEIVE:
                    receive(h, task.mail, begin)
            step += 2 if in_one_pass else 1

    return kernel(march, f"{lattice.name} {law} {forced}", PARTS)
