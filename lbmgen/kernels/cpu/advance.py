"""Many steps of a block in one call, messages to its neighbours included: the items of its program, one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from lbmgen.boundaries.face import open_faces
from lbmgen.collisions import Collision
from lbmgen.kernels import (
    COPY,
    EVEN,
    KEEP,
    OUTLETS,
    RECEIVE,
    SEND,
    SWEEP,
    WALLS,
    Copies,
    Kept,
    Links,
    Outlets,
    Part,
    Program,
)
from lbmgen.kernels.cpu.mail import Mail, receive, send
from lbmgen.kernels.cpu.open_faces import make_outlets
from lbmgen.kernels.cpu.runs import move, runs_of
from lbmgen.kernels.cpu.sweep import PARTS, make_sweep
from lbmgen.kernels.cpu.walls import keep, walls
from lbmgen.lattices import Lattice
from runkit.arrays import F64, I64, Floats
from runkit.simd.compiled import kernel


class Task(NamedTuple):
    """What `advance` needs to know of a block: fields of a `Part`, its copies as runs, and its `Mail`."""

    program: Program
    places: tuple[tuple[int, ...], ...]
    numbers: tuple[Any, ...]
    copies: tuple[I64, ...]
    mail: Mail
    links: Links
    kept: Kept
    outlets: Outlets
    c: I64
    w: F64

    @classmethod
    def of(cls, part: Part, mail: Mail) -> Task:
        """That of a part with its mail."""
        program, copies = _in_runs(part.program, part.copies)
        return cls(
            program=program,
            places=part.places,
            numbers=part.numbers,
            copies=copies,
            mail=mail,
            links=part.links,
            kept=part.kept,
            outlets=part.outlets,
            c=part.c,
            w=part.w,
        )


def _in_runs(program: Program, copies: Copies) -> tuple[Program, tuple[I64, ...]]:
    """A program that counts runs where it counted copies, and the runs by parity."""
    programs, tables = [items.copy() for items in program[1:]], []
    for state, (source, target) in enumerate(zip(copies.source, copies.target, strict=True)):
        counted = [items[(items[:, 0] == COPY) & (items[:, 1] == state)] for items in programs]
        ends = np.unique(np.concatenate([[0, len(source)], *(items[:, 2:].ravel() for items in counted)]))
        runs, first = runs_of(source, target, ends)
        for items in programs:
            here = (items[:, 0] == COPY) & (items[:, 1] == state)
            items[here, 2:] = first[np.searchsorted(ends, items[here, 2:])]
        tables.append(runs)
    return Program(program.region, *programs), tuple(tables)


@cache
def make_advance(lattice: Lattice, law: Collision, forced: bool) -> Callable[[Floats, Task, int, F64, I64], None]:
    """The compiled loop over steps for a lattice, a law and, if `forced`, a force density.

    Called as advance(h, task, parity, scale, impulse): flat populations, a `Task`, `parity` of the first step, `scale`
    [n_steps], and `impulse` int64 [n_steps, n_bodies, d + 1], to which the impulse on bodies is added.
    """
    sweep, outlets = make_sweep(lattice, law, forced), make_outlets(lattice.d)

    def advance(h, task, parity, scale, impulse):
        program, copies = task.program, task.copies
        step = 0
        while step < scale.size:
            first = (parity + step) % 2
            in_one_pass = first == EVEN and step + 1 < scale.size and program.both.size > 0
            items = program.both if in_one_pass else (program.even if first == EVEN else program.odd)
            for item in range(len(items)):
                operation, state, begin, end = items[item]
                now = step + state if in_one_pass else step
                if operation == SWEEP:
                    sweep(h, program.region, begin, end, task.places[state], task.numbers)
                elif operation == COPY:
                    move(h, h, copies[state], begin, end)
                elif operation == WALLS:
                    walls(h, task.links, begin, end, state, scale[now], impulse[now])
                elif operation == KEEP:
                    keep(h, task.kept, begin, end, state)
                elif operation == OUTLETS:
                    outlets(h, task.outlets, begin, end, state, task.c, task.w)
                elif operation == SEND:
                    send(h, task.mail, begin)
                elif operation == RECEIVE:
                    receive(h, task.mail, begin)
            step += 2 if in_one_pass else 1

    return kernel(advance, f"{lattice.name} {law} {forced}", PARTS, (type(law), *open_faces()))
