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
    BlockData,
    Copies,
    Kept,
    Links,
    Outlets,
    Program,
)
from lbmgen.kernels.cpu.exchange import ExchangeBuffers, receive, send
from lbmgen.kernels.cpu.open_faces import make_outlets
from lbmgen.kernels.cpu.strided import copy_strided, strided_copies
from lbmgen.kernels.cpu.sweep import PARTS, make_sweep
from lbmgen.kernels.cpu.walls import keep, walls
from lbmgen.lattices import Lattice
from runkit.arrays import F64, I64, Floats
from runkit.simd.compiled import kernel


class StepTables(NamedTuple):
    """What compiled code takes of a block: fields of `BlockData`, its copies as strided ones, its `ExchangeBuffers`."""

    program: Program
    places: tuple[tuple[int, ...], ...]
    numbers: tuple[Any, ...]
    copies: tuple[I64, ...]
    buffers: ExchangeBuffers
    links: Links
    kept: Kept
    outlets: Outlets
    c: I64
    w: F64

    @classmethod
    def of(cls, data: BlockData, buffers: ExchangeBuffers) -> StepTables:
        """The tables of a block with its buffers."""
        program, copies = _in_strided_copies(data.program, data.copies)
        return cls(
            program=program,
            places=data.places,
            numbers=data.numbers,
            copies=copies,
            buffers=buffers,
            links=data.links,
            kept=data.kept,
            outlets=data.outlets,
            c=data.c,
            w=data.w,
        )


def _in_strided_copies(program: Program, copies: Copies) -> tuple[Program, tuple[I64, ...]]:
    """A program whose copies are counted as strided ones, and these strided copies by parity."""
    programs, tables = [items.copy() for items in program[1:]], []
    for state, (source, target) in enumerate(zip(copies.source, copies.target, strict=True)):
        counted = [items[(items[:, 0] == COPY) & (items[:, 1] == state)] for items in programs]
        ends = np.unique(np.concatenate([[0, len(source)], *(items[:, 2:].ravel() for items in counted)]))
        runs, first = strided_copies(source, target, ends)
        for items in programs:
            here = (items[:, 0] == COPY) & (items[:, 1] == state)
            items[here, 2:] = first[np.searchsorted(ends, items[here, 2:])]
        tables.append(runs)
    return Program(program.region, *programs), tuple(tables)


@cache
def make_advance(lattice: Lattice, law: Collision, forced: bool) -> Callable[[Floats, StepTables, int, F64, I64], None]:
    """The compiled loop over steps for a lattice, a law and, if `forced`, a force density.

    Called as advance(h, tables, parity, scale, impulse): flat populations, `StepTables`, `parity` of the first step,
    `scale` [n_steps] of the velocities of walls, and `impulse` int64 [n_steps, n_bodies, d + 1], which grows by the
    impulse on bodies.
    """
    sweep, outlets = make_sweep(lattice, law, forced), make_outlets(lattice.d)

    def advance(h, tables, parity, scale, impulse):
        program, copies = tables.program, tables.copies
        step = 0
        while step < scale.size:
            first = (parity + step) % 2
            # A single step is left over where the number of steps, or the parity of the first one, is odd.
            in_one_pass = first == EVEN and step + 1 < scale.size and program.both.size > 0
            items = program.both if in_one_pass else (program.even if first == EVEN else program.odd)
            for item in range(len(items)):
                operation, state, begin, end = items[item]
                # In a pass over two steps, the parity of an item says to which of them it belongs.
                now = step + state if in_one_pass else step
                if operation == SWEEP:
                    sweep(h, program.region, begin, end, tables.places[state], tables.numbers)
                elif operation == COPY:
                    copy_strided(h, h, copies[state], begin, end)
                elif operation == WALLS:
                    walls(h, tables.links, begin, end, state, scale[now], impulse[now])
                elif operation == KEEP:
                    keep(h, tables.kept, begin, end, state)
                elif operation == OUTLETS:
                    outlets(h, tables.outlets, begin, end, state, tables.c, tables.w)
                elif operation == SEND:
                    send(h, tables.buffers, begin)
                elif operation == RECEIVE:
                    receive(h, tables.buffers, begin)
            step += 2 if in_one_pass else 1

    return kernel(advance, f"{lattice.name} {law} {forced}", PARTS, (type(law), *open_faces()))
