"""LAMMPS dumps (`dump atom`, `dump custom`): text, any number of frames, columns in any order.

Positions are `x y z`, `xu yu zu` (unwrapped), or `xs ys zs` and `xsu ysu zsu`, which are fractions of the box. Atoms
are ordered by `id`; species are `type`, from 1, or else `typelabel` or `element`.

Source: https://docs.lammps.org/dump.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np

from mdgen.formats.base import Format, Frame, Frames, file_format
from mdgen.formats.text import Table, is_integer, lines
from runkit.arrays import F64
from runkit.errors import UserError

_SPECIES = ("type", "typelabel", "element")
_COORDINATES = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_SHAPES = ("abc", "origin", "xy", "xz", "yz")  # words of BOX BOUNDS that tell the shape of the box

Row = tuple[int, str]


@dataclass
class Items:
    """What stands before the atoms of a frame, and their rows."""

    units: str = "lj"
    step: str = ""
    n_atoms: int = -1
    flags: list[str] = field(default_factory=list)
    bounds: list[Row] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@file_format("LAMMPS dump")
class LammpsDump(Format):
    """Frames of items: step, number, box, atoms."""

    suffixes = (".dump", ".lammpstrj", ".lammpsdump", ".atom")
    in_time = True

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Items, and nothing before them."""
        return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"ITEM:")

    @staticmethod
    def frames(path: Path) -> Frames:
        """Frames in the order of the file."""
        numbered = ((k, text) for k, text in lines(path) if text.strip())
        units = "lj"
        for i, first in enumerate(numbered):
            items = Items(units)
            for k, text in chain([first], numbered):
                if not text.startswith("ITEM:"):
                    raise UserError(
                        f"{path}, line {k}: {text.strip()[:60]!r} stands where an ITEM should; "
                        + (f"frame {i - 1} has more atoms than it says" if i else "the file is no dump")
                    )
                if _take(path, items, k, text.removeprefix("ITEM:").split(), numbered):
                    break
            else:
                raise UserError(f"{path}: frame {i} has no atoms; the file is cut off")
            units = items.units  # they stand before the first frame only
            yield partial(_frame, path, f"frame {i}" + (f" (timestep {items.step})" if items.step else ""), items)


def _take(path: Path, items: Items, k: int, words: Sequence[str], following: Iterator[tuple[int, str]]) -> bool:
    """Take one item with its lines; returns whether it ends the frame."""
    match words:
        case ["UNITS", *_]:
            items.units = _next(path, k, following)
        case ["TIMESTEP", *_]:
            items.step = _next(path, k, following)
        case ["NUMBER", "OF", "ATOMS", *_]:
            count = _next(path, k, following)
            if not is_integer(count) or int(count) < 1:
                raise UserError(f"{path}, line {k + 1}: {count!r} atoms; a positive whole number is needed")
            items.n_atoms = int(count)
        case ["BOX", "BOUNDS", *flags]:
            items.flags, items.bounds = list(flags), list(islice(following, 3))
        case ["ATOMS", *columns]:
            items.columns, items.rows = list(columns), list(islice(following, max(items.n_atoms, 0)))
            _require_whole(path, items, k)
            return True
        case _:
            _next(path, k, following)  # TIME and what may come
    return False


def _next(path: Path, k: int, following: Iterator[tuple[int, str]]) -> str:
    _, text = next(following, (0, ""))
    if not text or text.startswith("ITEM:"):
        raise UserError(f"{path}, line {k}: nothing stands below this item")
    return str(text.strip())


def _require_whole(path: Path, items: Items, k: int) -> None:
    if items.n_atoms < 0 or len(items.bounds) < 3:
        lacking = "NUMBER OF ATOMS" if items.n_atoms < 0 else "BOX BOUNDS with three lines"
        raise UserError(f"{path}, line {k}: no ITEM: {lacking} before the atoms")
    early = next((line for line, text in items.rows if text.startswith("ITEM:")), None)
    if early is not None or len(items.rows) < items.n_atoms:
        n_rows = early - k - 1 if early is not None else len(items.rows)
        raise UserError(f"{path}, line {k}: {n_rows} of {items.n_atoms} atoms follow")


def _frame(path: Path, place: str, items: Items) -> Frame:
    if not items.rows:
        raise UserError(f"{path}: {place} has no atoms")
    column = {name: i for i, name in enumerate(items.columns)}
    table = Table.of(path, items.rows)
    table.require_width(len(column), len(column), "ITEM: ATOMS")
    names = next((names for names in _COORDINATES if set(names) <= column.keys()), None)
    if names is None or not column.keys() & set(_SPECIES):
        lacking = "positions (x y z, xu yu zu, xs ys zs or xsu ysu zsu)" if names is None else "type or element"
        raise UserError(f"{path}: {place} has no {lacking}; its columns are {' '.join(items.columns)}")
    low, cell, periodic = _box(path, items)
    position = table.numbers(*(column[name] for name in names))
    if names[0] in ("xs", "xsu"):
        position = low + position * np.diag(cell)
    return Frame(
        position,
        _species(table, column),
        cell,
        place,
        origin=low.tolist(),
        first=1,
        periodic=periodic,
        mass=table.numbers(column["mass"])[:, 0] if "mass" in column else None,
        units=items.units,
        identity=table.integers(column["id"], "id") if "id" in column else None,
        line=table.line,
    )


def _species(table: Table, column: dict[str, int]) -> list[str]:
    named = next(name for name in _SPECIES if name in column)
    kinds = table.text(column[named])
    if named != "type":
        return kinds
    return list(map(str, table.integers(column["type"], "type"))) if all(map(_is_number, kinds)) else kinds


def _is_number(text: str) -> bool:
    return text[:1] in "+-." or text[:1].isdigit()


def _box(path: Path, items: Items) -> tuple[F64, F64, list[bool]]:
    """Lower corner [3], vectors of the box [3, 3], and whether it is periodic along each axis."""
    bounds = Table.of(path, items.bounds)
    is_general, is_tilted = {"abc", "origin"} <= set(items.flags), {"xy", "xz", "yz"} <= set(items.flags)
    periodic = [flag == "pp" for flag in items.flags if flag not in _SHAPES]  # some write the shape behind the flags
    width = 4 if is_general else 3 if is_tilted else 2
    bounds.require_width(width, width, "BOX BOUNDS")
    values = bounds.numbers(*range(width))
    if is_general:
        return values[:, 3], values[:, :3], periodic
    cell = np.diag(values[:, 1] - values[:, 0])
    if is_tilted:
        cell[1, 0], cell[2, 0], cell[2, 1] = values[:, 2]
    return values[:, 0], cell, periodic
