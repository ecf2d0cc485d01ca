"""LAMMPS data files, as `write_data` and moltemplate, OVITO, VMD and scripts write them for `read_data`.

The atom style stands behind `Atoms #`. Where it doesn't, the columns decide if they fit one style only: as many as the
style has, whole numbers where it has them, types within `atom types`, and all of these in use. Atoms are ordered by id,
types count from 1.

Source: https://docs.lammps.org/read_data.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from mdgen.formats.base import Format, Frame, Frames, file_format
from mdgen.formats.text import Table, is_integer, lines, number
from runkit.arrays import F64
from runkit.errors import UserError

# Columns of a row by atom style: i is a whole number, t the type, q a number, x a coordinate.
STYLES = {"atomic": "itxxx", "charge": "itqxxx", "molecular": "iitxxx", "full": "iitqxxx"}
STYLES |= {"bond": STYLES["molecular"], "angle": STYLES["molecular"]}
_IMAGES = "iii"  # may follow: how often an atom has crossed the box
_GUESSED = ("atomic", "charge", "molecular", "full")
_EDGES, _TILT, _VECTORS = ("xlo xhi", "ylo yhi", "zlo zhi"), "xy xz yz", ("avec", "bvec", "cvec", "abc origin")

Row = tuple[int, str]


@dataclass
class Parts:
    """Lines of a file: what stands before the sections, and the rows and the comment of each."""

    title: str = ""
    header: list[Row] = field(default_factory=list)
    sections: dict[str, list[Row]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)


@file_format("LAMMPS data")
class LammpsData(Format):
    """One configuration."""

    suffixes = (".data", ".lmp", ".lammps", ".lmpdat")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """A line `… xlo xhi` or a number of atoms."""
        return bool(re.search(rb"^[^#\n]*\bxlo\s+xhi\b|^\s*\d+\s+atoms\b", head, re.MULTILINE))

    @staticmethod
    def frames(path: Path) -> Frames:
        """The one configuration."""
        yield partial(_frame, path)


def _frame(path: Path) -> Frame:
    parts = _split(path)
    n_atoms, n_types = _count(parts, "atoms"), _count(parts, "atom types")
    low, edges = _box(path, parts)
    if n_atoms is None:
        raise UserError(f"{path}: no line 'N atoms' before the sections")
    if "Atoms" not in parts.sections:
        raise UserError(f"{path}: no section Atoms; a data file is needed, as write_data writes it")
    table = Table.of(path, parts.sections["Atoms"])
    if len(table.cells) != n_atoms or not table.cells:
        where = f", line {table.line[n_atoms]}" if len(table.cells) > n_atoms else ""
        raise UserError(
            f"{path}{where}: section Atoms has {len(table.cells)} rows, but the header says {n_atoms} atoms; "
            "correct the one that is wrong"
        )
    labels = {label: int(kind) for kind, label in _pairs(path, parts, "Atom Type Labels", is_integer)}
    style = _style(path, table, parts.comments["Atoms"], labels, n_types)
    columns = STYLES[style]
    kinds = [labels.get(name, 0) or int(name) for name in table.text(columns.index("t"))]
    named = sorted(labels, key=labels.__getitem__)
    first = columns.index("x")
    return Frame(
        table.numbers(first, first + 1, first + 2),
        [named[kind - 1] for kind in kinds] if len(named) >= max(kinds) else list(map(str, kinds)),
        edges,
        origin=low.tolist(),
        labels=named,
        first=1,
        mass=_masses(path, parts, labels, kinds),
        temperature=_temperature(parts.title),
        units=_units(parts.title),
        identity=table.integers(0, "id"),
        line=table.line,
    )


def _split(path: Path) -> Parts:
    """A line of words alone begins a section; comments count nowhere but there and in the title."""
    parts, rows = Parts(), None
    for k, text in lines(path):
        content, _, comment = text.partition("#")
        if k == 1:
            parts.title = text
        elif content.strip() and not re.search(r"(^|\s)[-+.]?\d", content):
            name = " ".join(content.split())
            if name in parts.sections:
                raise UserError(f"{path}, line {k}: a second section {name}")
            rows = parts.sections[name] = []
            parts.comments[name] = comment.strip()
        elif content.strip():
            (parts.header if rows is None else rows).append((k, content))
    return parts


def _count(parts: Parts, what: str) -> int | None:
    for _, text in parts.header:
        words = text.split()
        if " ".join(words[1:]) == what and is_integer(words[0]):
            return int(words[0])
    return None


def _units(title: str) -> str:
    found = re.search(r"\bunits\s*[=:]?\s*(lj|real|metal|si|cgs|electron|micro|nano)\b", title)
    return found[1] if found else "lj"


def _temperature(title: str) -> float | None:
    """The temperature in a title, such as T = 0.44; a number with letters behind is of other units."""
    digits = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
    found = re.search(rf"(?<![\w.])(?:T|[Tt]emp(?:erature)?|k_?B?T)\s*[:=]\s*({digits})(?![\w.])", title)
    return float(found[1]) if found else None


def _box(path: Path, parts: Parts) -> tuple[F64, F64]:
    """Lower corner [3], and edges [3] or the three vectors [3, 3] of a box that may be tilted."""
    bounds: dict[str, list[float]] = {}
    for k, text in parts.header:
        figures = [word for word in text.split() if re.match(r"[-+.]?\d", word)]
        name = " ".join(text.split()[len(figures) :])
        if name in (*_EDGES, *_VECTORS, _TILT):
            wanted = 2 if name in _EDGES else 3
            if len(figures) != wanted:
                raise UserError(f"{path}, line {k}: {len(figures)} numbers before {name}; {wanted} are needed")
            bounds[name] = [number(word, f"{path}, line {k}") for word in figures]
    if bounds.keys() >= set(_VECTORS):  # as OVITO writes any box
        *vectors, origin = (np.array(bounds[name]) for name in _VECTORS)
        return origin, np.array(vectors)
    for name in _EDGES:
        if name not in bounds:
            raise UserError(f"{path}: no line '{name}' before the sections")
    low, high = np.array([bounds[name] for name in _EDGES]).T
    if not any(bounds.get(_TILT, [])):
        return low, high - low
    xy, xz, yz = bounds[_TILT]
    return low, np.array([[high[0] - low[0], 0, 0], [xy, high[1] - low[1], 0], [xz, yz, high[2] - low[2]]])


def _pairs(path: Path, parts: Parts, section: str, is_key: Callable[[str], bool]) -> Iterable[tuple[str, str]]:
    """The two words of each row of a section."""
    for k, text in parts.sections.get(section, []):
        words = text.split()
        if len(words) != 2 or not is_key(words[0]):
            raise UserError(f"{path}, line {k}: {text.strip()!r} is no row of section {section}")
        yield words[0], words[1]


def _masses(path: Path, parts: Parts, labels: dict[str, int], kinds: list[int]) -> F64 | None:
    """Mass of each atom, if the file gives them."""
    mass: dict[int, float] = {}
    for kind, value in _pairs(path, parts, "Masses", lambda word: word in labels or is_integer(word)):
        mass[labels.get(kind, 0) or int(kind)] = number(value, f"{path}, section Masses")
    return np.array([mass.get(kind, 1.0) for kind in kinds]) if mass else None


def _style(path: Path, table: Table, hint: str, labels: dict[str, int], n_types: int | None) -> str:
    """The atom style: the one that the file names if its rows fit it, or the only one that they fit."""
    named = hint.split()[0] if hint else ""
    if named and named not in STYLES:
        raise UserError(f"{path}: atom style {named!r} is not known; known: {', '.join(STYLES)}")
    width = len(table.cells[0])
    table.require_width(width, width, "the row before it")
    reasons = {style: _misfit(table, STYLES[style], labels, n_types) for style in ([named] if named else _GUESSED)}
    fitting = [style for style, reason in reasons.items() if reason is None]
    if len(fitting) > 1:  # a molecule 1 for all, or a charge 1 for all, leaves types without atoms if it is misread
        using_all = [style for style in fitting if len(set(table.text(STYLES[style].index("t")))) == n_types]
        fitting = using_all if len(using_all) == 1 else fitting
    if len(fitting) == 1:
        return fitting[0]
    if named:
        raise UserError(f"{path}, {reasons[named]} of atom style {named}")
    if fitting:
        raise UserError(
            f"{path}: the {width} columns of section Atoms fit the atom styles {' and '.join(fitting)}; say which: "
            f"'Atoms # {fitting[0]}'"
        )
    same_width = [style for style in _GUESSED if width in (len(STYLES[style]), len(STYLES[style]) + 3)]
    why = f": {reasons[same_width[0]]} of atom style {same_width[0]}" if same_width else ""
    raise UserError(f"{path}: {width} columns of section Atoms fit none of the atom styles {', '.join(_GUESSED)}{why}")


def _misfit(table: Table, style: str, labels: dict[str, int], n_types: int | None) -> str | None:
    """Why the rows cannot be of a style, with the line; None if they can."""
    width = len(table.cells[0])
    if width not in (len(style), len(style) + len(_IMAGES)):
        return f"line {table.line[0]}: {width} columns instead of {len(style)} or {len(style) + 3}, those"
    for k, row in zip(table.line, table.cells, strict=True):
        for cell, kind in zip(row, style + _IMAGES, strict=False):
            if kind == "i" and not is_integer(cell):
                return f"line {k}: {cell!r} instead of a whole number, as it is in rows"
            if kind == "t" and cell not in labels and not _is_type(cell, n_types):
                return f"line {k}: type {cell!r} instead of 1 to {n_types or '…'}, as in rows"
    return None


def _is_type(cell: str, n_types: int | None) -> bool:
    return is_integer(cell) and 1 <= int(cell) <= (n_types or int(cell))
