"""The second line of an XYZ frame: box, columns and more, in the spellings that programs give it.

Extended XYZ: `Lattice="…" Properties=species:S:1:pos:R:3 pbc="T T T" Origin="…"`, values in quotes, braces or brackets,
spaces around `=`, any case. RUMD and gamdpy: `sim_box=RectangularSimulationBox,Lx,Ly,Lz` or `boxLengths=Lx,Ly,Lz`,
`columns=type,x,y,z,…`, `mass=1,1`, types from 0. atooms: the same with `:`, `cell:Lx,Ly,Lz` and
`columns:species,position`. Whatever else is there is left alone.

Source: https://github.com/libAtoms/extxyz; http://rumd.org; https://framagit.org/atooms/atooms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mdgen.formats.text import number
from runkit.arrays import F64
from runkit.errors import UserError

_QUOTED = r'"(?:\\.|[^"\\])*"|\'[^\']*\''
_NESTED = r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\{[^{}]*\}|\([^()]*\)"
_ENTRY = re.compile(rf"({_QUOTED}|[^\s=\"']+)\s*=\s*({_QUOTED}|{_NESTED}|\S*)")
_COLON_ENTRY = re.compile(r"([^\s:]+):(\S+)")

BOX = ("lattice", "cell", "box", "sim_box", "simulationbox", "boxlengths", "box_lengths")
SPECIES = ("species", "type", "types", "element", "particle_type", "typeid", "atom_types", "name")
POSITION = ("pos", "position", "positions", "coordinates", "r", "position_unfolded", "unwrapped_position")
MASS = ("mass", "masses")
TEMPERATURE = ("temperature", "temp", "T", "kt", "kbt", "k_bt")  # a small t is a time
_IDENTITY = ("id", "ids", "identifier", "particle_identifier")
PERIODIC = ("pbc", "periodic", "boundary")
TRUE, FALSE = ("t", "true", "1", "p", "pp", "periodic"), ("f", "false", "0", "s", "m", "ff", "fs", "fm")


@dataclass(frozen=True)
class Header:
    """Content of a header; `column` gives the place of a row's columns by name, in lower case, and a vector's first."""

    column: Mapping[str, int] = field(default_factory=lambda: {"species": 0, "pos": 1})
    width: int | None = None  # columns of a row, if the header has them
    cell: F64 | None = None
    origin: Sequence[float] = (0.0, 0.0, 0.0)  # lower corner of the box
    periodic: tuple[bool, ...] = ()
    masses: F64 | None = None  # of the species, in order
    temperature: float | None = None
    units: str = "lj"
    time: str = ""
    first: int | None = None

    def find(self, names: Sequence[str]) -> int | None:
        """The first column that has one of `names`."""
        return next((self.column[name] for name in names if name in self.column), None)


def parse(text: str, where: str) -> Header:
    """The content of the header `text`; raises `UserError` that begins with `where` if it contradicts itself."""
    entries = _entries(text)
    if not entries.keys() & {*BOX, *PERIODIC, *TEMPERATURE, "properties", "columns", "units"}:
        return Header()
    cell = next((_numbers(entries[key], f"{where}, {key}") for key in BOX if key in entries), None)
    masses = next((_numbers(entries[key], f"{where}, {key}") for key in MASS if key in entries), None)
    origin = _numbers(entries.get("origin", "0 0 0"), f"{where}, Origin")
    columns, width = _columns(entries, where)
    if len(origin) != 3:
        raise UserError(f"{where}: Origin has {len(origin)} numbers; 3 are needed")
    return Header(
        column=columns,
        width=width,
        cell=cell,
        origin=origin.tolist(),
        periodic=next((_flags(entries[key], f"{where}: {key}") for key in PERIODIC if key in entries), ()),
        masses=masses,
        temperature=_temperature(entries, where),
        units=entries.get("units", "lj").lower(),
        time=entries.get("time", ""),
        first=0 if entries.keys() & {"ioformat", "sim_box"} else None,  # RUMD
    )


def _entries(text: str) -> dict[str, str]:
    """Lower-case key, but for T, -> value without its quotes."""
    pairs = _ENTRY.findall(text)
    if not pairs:
        joined = re.sub(r"\s*([:,])\s*", r"\1", text)
        pairs = _COLON_ENTRY.findall(joined) if re.search(r"\b(columns|cell):", joined) else []
    named = ((key.strip("\"'"), value) for key, value in pairs)
    return {key if key == "T" else key.lower(): value.strip().strip("\"'") for key, value in named}


def _numbers(text: str, where: str) -> F64:
    """Numbers between any brackets, commas and spaces; words before them, such as the kind of box, are left out."""
    words = re.split(r"[\s,\[\]{}()\"']+", text.strip())
    wanted = [word for word in words if word and not re.fullmatch(r"[A-Za-z_]{4,}", word)]
    return np.array([number(word, where) for word in wanted])


def _temperature(entries: Mapping[str, str], where: str) -> float | None:
    """The temperature, by whatever names the header gives it; raises `UserError` if they contradict each other."""
    said: dict[str, float] = {}
    for key in TEMPERATURE:
        if key in entries:
            values = _numbers(entries[key], f"{where}, {key}")
            if len(values) != 1:
                raise UserError(f"{where}: {key} = {entries[key]!r}: one temperature is needed")
            said[f"{key} = {values[0]:g}"] = float(values[0])
    # RUMD writes the time step and the temperature that the thermostat held.
    held = re.fullmatch(r"IntegratorNVT,[^,]+,([^,]+),.*", entries.get("integrator", ""))
    if held:
        said[f"integrator = {held[0]}"] = number(held[1], f"{where}, integrator")
    if not said:
        return None
    (name, first), *others = said.items()
    for other, value in others:
        if not math.isclose(value, first, rel_tol=1e-6):
            raise UserError(f"{where}: {name} and {other} contradict each other; correct one, or take it out")
    return first


def _flags(text: str, where: str) -> tuple[bool, ...]:
    words = [word.lower() for word in re.split(r"[\s,\[\]{}()\"']+", text) if word]
    words = list(words[0]) if len(words) == 1 and re.fullmatch("[tf]{3}", words[0]) else words
    words *= 3 if len(words) == 1 else 1
    if len(words) != 3 or not all(word in TRUE + FALSE for word in words):
        raise UserError(f"{where} = {text!r}: three flags, T or F, are needed")
    return tuple(word in TRUE for word in words)


def _columns(entries: Mapping[str, str], where: str) -> tuple[dict[str, int], int | None]:
    """Column -> its place, and how many there are."""
    if "properties" in entries:
        return _properties(entries["properties"], where)
    if "columns" not in entries:
        return {"species": 0, "pos": 1}, None
    place: dict[str, int] = {}
    start, names = 0, [name.removeprefix("particle.") for name in re.split(r"[\s,]+", entries["columns"]) if name]
    for name in names:
        base = name.split("[")[0].lower()
        place.setdefault("species" if base == "id" else base, start)  # atooms and RUMD call the species id
        start += 3 if base in (*POSITION, "vel", "velocity") and "[" not in name else 1
    return place, None


def _properties(text: str, where: str) -> tuple[dict[str, int], int]:
    parts = text.split(":")
    if len(parts) % 3 or not all(width.isdigit() and int(width) > 0 for width in parts[2::3]):
        raise UserError(f"{where}: Properties={text} is not a list of name:kind:width")
    place: dict[str, int] = {}
    start = 0
    for name, width in zip(parts[::3], map(int, parts[2::3]), strict=True):
        name = name.lower()
        if name in POSITION and width != 3:
            raise UserError(f"{where}: {name} has {width} columns; three coordinates are needed")
        place.setdefault("id" if name in _IDENTITY else name, start)
        start += width
    return place, start
