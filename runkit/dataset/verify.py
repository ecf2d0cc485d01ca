"""Whether what a file holds is what was written to it: every complete unit against its checksums.

A unit of an unfinished file that differs becomes pending again, so that the run makes it anew. What depends on it was
made from data that were sound when they were read (`require_sound`), and stays.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from runkit.arrays import Array
from runkit.dataset.checksums import Checksums, Unit, in_words
from runkit.dataset.schema import PENDING, Schema
from runkit.errors import UserError
from runkit.mpi import World
from runkit.progress import Progress

SHOWN = 10  # damaged units that are reported one by one


class Unfinished(Protocol):
    """The part of `Writer` that is used here."""

    world: World
    schema: Schema
    part: Path
    """Name of the file while it is not sealed."""
    checksums: Checksums | None
    """Those of its units; None for a file of older code."""

    def read(self, name: str) -> Array:
        """A whole field; not collective."""

    def mark(self, stage: str, unit: Unit, flag: int) -> None:
        """Set the status of a unit; not collective."""

    def sync(self) -> None:
        """Wait until all ranks have written; collective."""


class Damaged(NamedTuple):
    """A unit that is not what was written: its stage, its number, and the fields that differ."""

    stage: str
    unit: Unit
    fields: list[str]

    def in_words(self, schema: Schema) -> str:
        """In words: sample 1, replica 3: position."""
        return f"{in_words(schema[self.stage], self.unit)}: {', '.join(self.fields)}"


def verify(file: Unfinished) -> None:
    """Make damaged units of an unfinished file pending again, each with a word; collective."""
    world, sums = file.world, file.checksums
    if sums is None:
        return
    units = world.on_root(_units, file)
    mine = units[world.rank :: world.size]  # stages, which differ in size, are spread evenly
    found: list[Damaged] = []
    with Progress(world, len(mine), "units", "verify") as progress:
        for stage, unit in mine:
            if fields := sums.differing(stage, unit):
                found.append(Damaged(stage, unit, fields))
            progress.advance()
    found = [one for part in world.all_gather(found) for one in part]
    if found and world.is_root:
        _tell(file, found)
        for one in found:
            file.mark(one.stage, one.unit, PENDING)
    if found:
        file.sync()


def require_sound(file: Unfinished, stage: str, unit: Unit) -> None:
    """Raise UserError if a unit from which others are made is not what was written; not collective."""
    fields = file.checksums.differing(stage, unit) if file.checksums is not None else []
    if fields:
        where = Damaged(stage, unit, fields).in_words(file.schema)
        raise UserError(f"{file.part}: {where} was changed from outside in mid-run; run again: it is made anew")


def _units(file: Unfinished) -> list[tuple[str, Unit]]:
    """All units that claim to be over."""
    return [
        (stage.name, tuple(map(int, unit)))
        for stage in file.schema.stages
        for unit in np.argwhere(file.read(stage.name) != PENDING)
    ]


def _tell(file: Unfinished, found: list[Damaged]) -> None:
    for one in found[:SHOWN]:
        message = f"note: {file.part}: {one.in_words(file.schema)} changed since it was written: the unit is made again"
        print(message, file=sys.stderr, flush=True)
    if len(found) > SHOWN:
        print(f"note: {file.part}: and {len(found) - SHOWN} more units", file=sys.stderr, flush=True)
