"""Readers of configuration files: published `.npz`, ISOCONFIG, extended XYZ and LAMMPS data.

Source: BOTAN data, doi:10.1063/5.0129791; GlassBench, doi:10.5281/zenodo.10118191; extended XYZ,
https://github.com/libAtoms/extxyz; LAMMPS `read_data`, https://docs.lammps.org/read_data.html.
Units: those of the file, taken as Lennard-Jones.
"""

from __future__ import annotations

import glob
import re
import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mdgen.initial import Configuration
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError

PUBLISHED_DENSITY = 1.2
_COLUMNS = {"atomic": (1, 2), "charge": (1, 3), "molecular": (2, 3), "full": (2, 4)}  # atom style: type, first of x y z


def load(patterns: Sequence[str], density: float = PUBLISHED_DENSITY) -> list[Configuration]:
    """All configurations of the files that `patterns` (names or globs) match, in order of name.

    `density` gives the cubic box where a file has none. Raises `UserError` if nothing matches, a file cannot be
    read, or the numbers of particles differ.
    """
    found = [configuration for path in expand(patterns) for configuration in read(path, density)]
    for other in found:
        if len(other.species) != len(found[0].species):
            raise UserError(
                f"{other.source} has {len(other.species)} particles, {found[0].source} has {len(found[0].species)}: "
                "all samples of a run need the same number"
            )
    return found


def expand(patterns: Sequence[str]) -> list[Path]:
    """The files that `patterns` match, each pattern's in order of name; raises `UserError` if one matches none."""
    paths: list[Path] = []
    for pattern in patterns:
        matches = sorted(glob.glob(pattern, recursive=True))
        if not matches:
            raise UserError(f"initial.file: no file matches {pattern!r}")
        paths += map(Path, matches)
    return paths


def read(path: Path, density: float = PUBLISHED_DENSITY) -> list[Configuration]:
    """The configurations of one file, its format told by the suffix; raises `UserError` if it cannot be read."""
    try:
        match path.suffix:
            case ".npz":
                return [_read_npz(path, density)]
            case ".h5" | ".hdf5" | ".part":
                return _read_isoconfig(path)
            case ".xyz" | ".extxyz":
                return _read_extxyz(path)
            case ".data" | ".lmp" | ".lammps":
                return [_read_lammps(path)]
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read as {path.suffix}: {error}") from error
    raise UserError(f"{path}: unknown suffix {path.suffix!r}; known: .npz .h5 .xyz .extxyz .data .lmp .lammps")


def _read_npz(path: Path, density: float) -> Configuration:
    with np.load(path, allow_pickle=False) as file:
        position, species = file["initial_positions"], file["types"]
        edge = (len(species) / density) ** (1 / 3)
        box = np.broadcast_to(file["box"], 3) if "box" in file else np.full(3, edge)
    return Configuration.of(str(path), position, species, box)


def _read_isoconfig(path: Path) -> list[Configuration]:
    with Dataset(path, unfinished=True) as file:
        ready = np.flatnonzero(file["equilibrated"][:] == COMPLETE)
        if not len(ready):
            raise UserError(f"{path}: no sample is equilibrated yet")
        temperature = file["temperature"][:]
        position, species, box = (file[name] for name in ("initial_position", "species", "box"))
        return [
            Configuration.of(f"{path}, sample {i}", position[i], species[i], box[i], float(temperature[i]))
            for i in ready
        ]


def _read_extxyz(path: Path) -> list[Configuration]:
    lines = path.read_text().splitlines()
    frames: list[Configuration] = []
    while lines and lines[0].strip():
        n_particles = int(lines[0])
        header, rows, lines = lines[1], lines[2 : 2 + n_particles], lines[2 + n_particles :]
        if len(rows) < n_particles:
            raise ValueError(f"frame {len(frames)} has {len(rows)} of {n_particles} lines")
        frames.append(_extxyz_frame(f"{path}, frame {len(frames)}", header, [row.split() for row in rows]))
    if not frames:
        raise ValueError("no frame is there")
    return frames


def _extxyz_frame(source: str, header: str, rows: list[list[str]]) -> Configuration:
    entries = dict(word.split("=", 1) for word in shlex.split(header) if "=" in word)
    lattice = np.array(entries["Lattice"].split(), dtype=float).reshape(3, 3)
    if np.any(lattice != np.diag(np.diag(lattice))):
        raise ValueError("Lattice is not orthorhombic")
    names = entries.get("Properties", "species:S:1:pos:R:3").split(":")
    start, columns = 0, {}
    for name, width in zip(names[::3], map(int, names[2::3]), strict=True):
        columns[name] = slice(start, start + width)
        start += width
    position = np.array([row[columns["pos"]] for row in rows], dtype=float)
    species = [_species_index(row[columns["species"]][0]) for row in rows]
    origin = np.array(entries.get("Origin", "0 0 0").split(), dtype=float)
    return Configuration.of(source, position - origin, species, np.diag(lattice))


def _species_index(name: str) -> int:
    """A, B, … are species 0, 1, …; so are 1, 2, …"""
    if re.fullmatch("[A-Z]", name):
        return ord(name) - ord("A")
    if name.isdecimal() and int(name) > 0:
        return int(name) - 1
    raise ValueError(f"species {name!r}: name species A, B, … or 1, 2, …")


def _read_lammps(path: Path) -> Configuration:
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    text = "\n".join(lines[1:])
    if re.search(r"xy\s+xz\s+yz", text):
        raise ValueError("the box is tilted; only orthorhombic boxes are known")
    edges = [re.search(rf"(\S+)\s+(\S+)\s+{axis}lo\s+{axis}hi", text) for axis in "xyz"]
    ends = [edge.groups() for edge in edges if edge]
    if len(ends) < 3:
        raise ValueError("no line 'xlo xhi', 'ylo yhi' or 'zlo zhi'")
    low, high = np.array(ends).astype(float).T
    count = re.search(r"^(\d+)\s+atoms$", text, re.MULTILINE)
    if count is None:
        raise ValueError("no line 'N atoms'")
    style = (re.search(r"^Atoms\s*#\s*(\w+)", path.read_text(), re.MULTILINE) or [None, "atomic"])[1]
    if style not in _COLUMNS:
        raise ValueError(f"atom style {style!r} is not known; known: {', '.join(_COLUMNS)}")
    body = [line.split() for line in lines[lines.index("Atoms") + 1 :] if line][: int(count[1])]
    i_type, i_x = _COLUMNS[style]
    table = np.array([[row[0], row[i_type], *row[i_x : i_x + 3]] for row in body], dtype=float)
    if len(table) != int(count[1]):
        raise ValueError(f"{len(table)} of {count[1]} atoms are there")
    table = table[np.argsort(table[:, 0])]
    return Configuration.of(str(path), table[:, 2:] - low, table[:, 1].astype(int) - 1, high - low)
