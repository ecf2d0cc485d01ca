"""One small liquid in the dialects that practitioners' programs write: 24 particles, A and B in mixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import gsd.hoomd
import numpy as np

N, EDGE = 24, 3.0
RNG = np.random.default_rng(7)
POSITION = RNG.uniform(0, EDGE, (N, 3)).round(9)
SPECIES = RNG.permutation(np.repeat([0, 1], [18, 6]))
SHUFFLED = RNG.permutation(N).tolist()  # an order of rows that is not that of ids

LATTICE = '"3.0 0.0 0.0 0.0 3.0 0.0 0.0 0.0 3.0"'
PROPERTIES = "Properties=species:S:1:pos:R:3"
AB, NI_P, ONE_TWO, ZERO_ONE = ("A", "B"), ("Ni", "P"), ("1", "2"), ("0", "1")


def coordinates(i: int, shift: float = 0.0, scale: float = 1.0, end: str = "") -> str:
    """x y z of particle `i`, with every digit."""
    return " ".join(f"{x * scale + shift!r}{end}" for x in POSITION[i].tolist())


def xyz(
    header: str = f'Lattice={LATTICE} {PROPERTIES} pbc="T T T"',
    names: Sequence[str] = AB,
    row: Callable[[int, str], str] = lambda i, name: f"{name} {coordinates(i)}",
    order: Sequence[int] = range(N),
) -> str:
    """A frame of XYZ."""
    return "\n".join([str(len(order)), header, *(row(i, names[SPECIES[i]]) for i in order)]) + "\n"


ROWS: dict[str, Callable[[int], str]] = {
    "atomic": lambda i: f"{i + 1} {SPECIES[i] + 1} {coordinates(i)}",
    "charge": lambda i: f"{i + 1} {SPECIES[i] + 1} 0.0 {coordinates(i)}",
    "molecular": lambda i: f"{i + 1} {i + 1} {SPECIES[i] + 1} {coordinates(i)}",
    "full": lambda i: f"{i + 1} 1 {SPECIES[i] + 1} 0.0 {coordinates(i)}",
}


def data(
    row: Callable[[int], str] = ROWS["atomic"],
    hint: str = " # atomic",
    low: float = 0.0,
    header: str = "",
    masses: str = "1 1.0\n2 1.0",
    title: str = "LAMMPS data file",
    n_atoms: int = N,
    end: str = "",
    bounds: str = "",
) -> str:
    """A LAMMPS data file, its rows in no order."""
    bounds = bounds or "\n".join(f"{low} {low + EDGE} {axis}lo {axis}hi" for axis in "xyz")
    rows = "\n".join(row(i) for i in SHUFFLED)
    head = f"{title}\n\n{n_atoms} atoms\n2 atom types\n\n{bounds}\n{header}\n\nMasses\n\n{masses}\n"
    return f"{head}\nAtoms{hint}\n\n{rows}\n{end}"


def dump(
    columns: str = "id type x y z",
    row: Callable[[int], str] = ROWS["atomic"],
    low: float = 0.0,
    box: str = "pp pp pp",
    tilt: str = "",
    before: str = "",
    n_atoms: int = N,
    step: int = 0,
    bounds: str = "",
) -> str:
    """A frame of a LAMMPS dump, its rows in no order."""
    bounds = bounds or f"{low} {low + EDGE}{tilt}\n" * 3
    rows = "".join(row(i) + "\n" for i in SHUFFLED)
    head = f"{before}ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n_atoms}\nITEM: BOX BOUNDS {box}\n{bounds}"
    return f"{head}ITEM: ATOMS {columns}\n{rows}"


def replaced(text: str, line: int, new: str | None) -> str:
    """A text with one line, counted from 1, replaced; None: without it."""
    lines = text.splitlines()
    lines[line - 1 : line] = [] if new is None else [new]
    return "\n".join(lines) + "\n"


def write_gsd(path: Path, **changes) -> Path:
    with gsd.hoomd.open(str(path), "w") as file:
        for k in range(2):
            frame = gsd.hoomd.Frame()
            frame.particles.N = N
            wrapped = np.mod(POSITION + k, EDGE)
            frame.particles.position = wrapped - EDGE * (wrapped > EDGE / 2)
            frame.particles.types, frame.particles.typeid = ["B", "A"], 1 - SPECIES
            frame.configuration.box = [EDGE, EDGE, EDGE, 0, 0, 0]
            for name, value in changes.items():
                owner = frame.configuration if name in ("box", "dimensions") else frame.particles
                setattr(owner, name, value)
            file.append(frame)
    return path
