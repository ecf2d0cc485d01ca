"""XYZ: extended, plain, and as RUMD, gamdpy and atooms write it; any number of frames.

Positions may lie outside the box. An `id` column numbers particles.

Source: https://github.com/libAtoms/extxyz; see `xyz_header` for the dialects.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from mdgen.formats.base import Format, Frame, Frames, file_format
from mdgen.formats.text import Table, is_integer, lines
from mdgen.formats.xyz_header import MASS, POSITION, SPECIES, Header, parse
from runkit.errors import UserError


@file_format("XYZ")
class Xyz(Format):
    """Frames of a number of particles, a header, and a row for each particle."""

    suffixes = (".xyz", ".extxyz", ".exyz")
    in_time = True

    @staticmethod
    def recognises(head: bytes) -> bool:
        """A whole number alone on the first line that is not empty."""
        first, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
        return first.strip().isdigit() and bool(rest)

    @staticmethod
    def frames(path: Path) -> Frames:
        """Frames; empty lines between them are skipped."""
        numbered = lines(path)
        for i, (number, text) in enumerate((k, text) for k, text in numbered if text.strip()):
            place = f"frame {i}"
            if not is_integer(text.strip()) or int(text) < 1:
                raise UserError(
                    f"{path}, line {number}: {text.strip()[:60]!r} stands where frame {i} should begin with its number "
                    "of particles; the frame before it has more rows than it says, or the file is not XYZ"
                )
            header, rows = next(numbered, (number + 1, "")), list(islice(numbered, int(text)))
            _require_rows(path, place, int(text), rows)
            yield partial(_frame, path, place, header, rows)


def _require_rows(path: Path, place: str, n_particles: int, rows: list[tuple[int, str]]) -> None:
    empty = next((number for number, text in rows if not text.strip()), None)
    if empty is not None:
        raise UserError(f"{path}, line {empty}: an empty line among the {n_particles} rows of {place}")
    if len(rows) < n_particles:
        raise UserError(f"{path}: {place} has {len(rows)} of {n_particles} rows; the file is cut off")


def _frame(path: Path, place: str, header_line: tuple[int, str], rows: list[tuple[int, str]]) -> Frame:
    where = f"{path}, line {header_line[0]}"
    header = parse(header_line[1], where)
    table = Table.of(path, rows)
    least = max(header.column.values()) + 1 if header.width is None else header.width
    table.require_width(least, header.width, "the frame's header" if header.width else "an XYZ row")
    i_species, coordinates = header.find(SPECIES), _coordinates(header)
    if i_species is None or not coordinates:
        lacking, known = ("position", POSITION) if i_species is not None else ("species", SPECIES)
        raise UserError(
            f"{where}: no column for the {lacking}; there are {', '.join(header.column)}; known: {', '.join(known)}"
        )
    table.require_width(max(*coordinates, i_species) + 1, None, "an XYZ row")
    species = table.text(i_species)
    return Frame(
        table.numbers(*coordinates),
        species,
        header.cell,
        place,
        header.time,
        origin=header.origin,
        labels=_labels(header, table, species),
        first=header.first,
        temperature=header.temperature,
        periodic=header.periodic,
        units=header.units,
        mass=_mass(header, table, species, where),
        identity=table.integers(header.column["id"], "id") if "id" in header.column else None,
        line=table.line,
    )


def _labels(header: Header, table: Table, species: list[str]) -> list[str]:
    """Names in the order of a column `type` beside them, if it numbers them one to one."""
    column = header.column.get("type")
    if column is None or not all(map(is_integer, table.text(column))):
        return []
    pairs = sorted(set(zip(table.integers(column, "type").tolist(), species, strict=True)))
    numbers, names = zip(*pairs, strict=True)
    is_order = numbers in (tuple(range(len(names))), tuple(range(1, len(names) + 1)))
    return list(names) if is_order and len(set(names)) == len(names) else []


def _coordinates(header: Header) -> tuple[int, ...]:
    first = header.find(POSITION)
    if first is not None:
        return (first, first + 1, first + 2)
    return tuple(header.column[axis] for axis in "xyz") if set("xyz") <= header.column.keys() else ()


def _mass(header: Header, table: Table, species: list[str], where: str) -> np.ndarray | None:
    """Mass of each particle, from a column or from the header's list of those of the species."""
    column = header.find(MASS)
    if column is not None:
        return table.numbers(column)[:, 0]
    if header.masses is None or not len(header.masses):
        return None
    kinds = sorted(set(species), key=lambda name: (len(name), name))
    place = {name: int(name) if header.first == 0 and is_integer(name) else i for i, name in enumerate(kinds)}
    if max(place.values()) >= len(header.masses) or min(place.values()) < 0:
        raise UserError(f"{where}: {len(header.masses)} masses for species {', '.join(kinds)}")
    return header.masses[[place[name] for name in species]]
