"""The check of what was read: a frame becomes a configuration, or `UserError` gives the reason in one line.

Formats differ, what must hold does not: a periodic box with edges along the axes, Lennard-Jones units, masses of 1,
every particle once, species that are known by name or number.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mdgen.formats.base import Frame
from mdgen.formats.box_fit import MOST, OUTSIDE, BoxFit
from mdgen.formats.text import is_integer
from mdgen.initial import Configuration
from runkit.arrays import F64, I64, Ints
from runkit.errors import UserError

TILT = 1e-9  # of the longest edge: what rounding leaves beside the diagonal of a box


def accept(frame: Frame, source: str, species: Sequence[str], density: float | None) -> Configuration:
    """The configuration that a frame of `source` holds; raises `UserError`.

    `species` names species 0, 1, … as the file does; `density` gives a cubic box where the file has none.
    """
    if frame.units not in ("lj", "reduced"):
        raise UserError(f"{source}: units are {frame.units!r}; Lennard-Jones units ('lj') are needed: convert the file")
    if not all(frame.periodic):
        flags = " ".join("T" if flag else "F" for flag in frame.periodic)
        raise UserError(f"{source}: periodic along x y z is {flags}; only boxes that are periodic along all can be run")
    _require_masses(frame, source)
    position = np.asarray(frame.position, dtype=np.float64)
    if position.ndim != 2 or position.shape[1] != 3 or len(frame.species) != len(position) or len(position) < 2:
        raise UserError(
            f"{source}: positions {position.shape} and species ({len(frame.species)},) are not [n, 3] and [n], n > 1"
        )
    if not np.isfinite(position).all():
        i = int(np.flatnonzero(~np.isfinite(position).all(axis=1))[0])
        raise UserError(f"{source}{at(frame, i)}: position of particle {i} is {position[i].tolist()}, not finite")
    if frame.cell is not None:
        box, origin = _edges(frame, source), np.asarray(frame.origin, dtype=np.float64)
    else:
        box, origin = _cube(frame, position, source, density), np.zeros(3)
    kinds, order = species_indices(frame, source, species), _order(frame, source)
    found = Configuration.of(source, (position - origin)[order], kinds[order], box, _temperature(frame, source))
    _require_apart(found, order, frame)
    return found


def at(frame: Frame, i: int) -> str:
    """Where particle `i` stands."""
    return f", line {frame.line[i]}" if len(frame.line) else ""


def _require_apart(found: Configuration, order: I64, frame: Frame) -> None:
    """Raise `UserError` if two particles are at one place, within rounding: no force is finite then."""
    place = np.rint(found.position / found.box * 2.0**32) % 2.0**32
    sorting = np.lexsort(place.T)
    same = np.flatnonzero(~np.diff(place[sorting], axis=0).any(axis=1))
    if len(same):
        i, j = sorted(order[sorting[same[0] : same[0] + 2]].tolist())
        which = f", lines {frame.line[i]} and {frame.line[j]}" if len(frame.line) else ""
        raise UserError(f"{found.source}{which}: particles {i} and {j} are at the same place")


def _require_masses(frame: Frame, source: str) -> None:
    if frame.mass is None:
        return
    wrong = np.flatnonzero(~(np.abs(np.asarray(frame.mass, dtype=np.float64) - 1) <= 1e-6))
    if len(wrong):
        i = int(wrong[0])
        raise UserError(
            f"{source}: particles of species {frame.species[i]} have mass {frame.mass[i]:g}; every mass must be 1, "
            "the unit of mass here"
        )


def _edges(frame: Frame, source: str) -> F64:
    """Edges [3] of the box."""
    cell = np.asarray(frame.cell, dtype=np.float64)
    if cell.size == 9:
        cell = cell.reshape(3, 3)
        beside = np.abs(cell - np.diag(np.diag(cell))).max()
        if not beside <= TILT * np.abs(cell).max():
            raise UserError(f"{source}: the box {cell.tolist()} is tilted; edges along x, y and z are needed")
        return np.diag(cell)
    if cell.size not in (1, 3):
        raise UserError(f"{source}: the box has {cell.size} numbers; 3 edges, or 9 numbers of 3 vectors, are needed")
    return np.broadcast_to(cell.ravel(), 3)


def _cube(frame: Frame, position: F64, source: str, density: float | None) -> F64:
    """The cubic box that the density gives, if it can be the one that the particles were in (`box_fit`)."""
    known = density or frame.density
    if known is None:
        raise UserError(f"{source}: the file holds no box; give system.density for a cubic one")
    edge, span = float((len(position) / known) ** (1 / 3)), np.ptp(position, axis=0)
    given = (
        f"{source}: the file holds no box; density {known:g} gives a cube of edge {edge:.6g}, but the particles "
        f"span {', '.join(f'{x:.6g}' for x in span)}"
    )
    fit = BoxFit(position, edge)
    outside = 0.0 if frame.density else OUTSIDE / len(position) ** (1 / 3)  # published files are wrapped
    is_inside = bool(np.all(span <= edge * (1 + outside + 1e-6)))
    if is_inside and not fit.is_known:
        raise UserError(f"{given}, and {len(position)} are too few to tell whether it fits: give a file with a box")
    if not (is_inside and abs(fit.misfit(edge)) <= MOST):
        found = fit.fitting()
        which = f", about {len(position) / found**3:.3g}" if found else ""
        raise UserError(f"{given}, and do not fit it: give the right system.density{which}, or a file with a box")
    return np.full(3, edge)


def species_indices(frame: Frame, source: str, species: Sequence[str] = ()) -> Ints:
    """Index of the species of each particle [n]; raises `UserError` for names that do not determine it.

    Names that `species` lists come in its order; otherwise A, B, … are 0, 1, …, labels count as the file orders them,
    and whole numbers count from the format's first, or from 1, or from 0 if a 0 is there.
    """
    names = list(map(str, frame.species))
    found = sorted(set(names))
    if species or not all(map(is_integer, found)):
        table = _named(found, species, frame.labels)
        unknown = [name for name in found if name not in table]
    else:
        first = frame.first if frame.first is not None else 0 if "0" in found else 1
        table = {name: int(name) - first for name in found}
        unknown = [name for name in found if table[name] < 0]
        if frame.first == 0 and "0" not in found and len(found) > 1:  # they count from 1 after all
            unknown = found[:1]
    if unknown:
        i = names.index(unknown[0])
        raise UserError(f"{source}{at(frame, i)}: {_advice(found, unknown[0], species, frame.first)}")
    return np.array([table[name] for name in names])


def _named(found: Sequence[str], species: Sequence[str], labels: Sequence[str]) -> dict[str, int]:
    letters = {name: ord(name) - ord("A") for name in found if len(name) == 1 and "A" <= name <= "Z"}
    if not species and len(letters) == len(found):
        return letters
    return {name: i for i, name in enumerate(species or labels)}


def _advice(found: Sequence[str], name: str, species: Sequence[str], first: int | None) -> str:
    shown = ", ".join(found[:6]) + (", …" if len(found) > 6 else "")
    if species:
        return f"species {name!r} is not in initial.species = {list(species)}; the file has {shown}"
    if all(map(is_integer, found)):
        why = "none is 0, from where species count here" if first == 0 else f"species count from {first or 0} here"
        return f"species {name!r}: the file has {shown}; {why}; say which is species 0, 1, …: {_such_as(found)}"
    return f"species {name!r}: the file names {shown}; say which is species 0, 1, …, such as {_such_as(found)}"


def _such_as(found: Sequence[str]) -> str:
    return "initial.species=[" + ", ".join(f'"{name}"' for name in found[:6]) + "]"


def _order(frame: Frame, source: str) -> I64:
    """The order of particles by their identity; raises `UserError` if two share one."""
    n_particles = len(frame.species)
    if frame.identity is None:
        return np.arange(n_particles)
    order = np.argsort(frame.identity, kind="stable")
    same = np.flatnonzero(np.diff(frame.identity[order]) == 0)
    if len(same):
        i, j = sorted(order[same[0] : same[0] + 2])
        lines = f", lines {frame.line[i]} and {frame.line[j]}" if len(frame.line) else ""
        raise UserError(f"{source}{lines}: two particles have id {frame.identity[i]}; each must have its own")
    return order


def _temperature(frame: Frame, source: str) -> float | None:
    temperature = frame.temperature
    if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
        raise UserError(
            f"{source}: temperature {temperature:g} is not positive; correct it in the file, or take it out"
        )
    return temperature
