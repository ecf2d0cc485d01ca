"""Configurations from files, whoever wrote them: `mdgen.read`.

    read("melt.data")                                   # LAMMPS data, atomic, charge, molecular or full
    read("traj.lammpstrj.gz", frames=[-1])              # a LAMMPS dump, its last frame
    read("alloy.xyz", species=["Ni", "P"])              # extended XYZ; Ni is species 0
    read("rumd/start.xyz.gz"), read("hoomd.gsd"), read("isoconfig_N4096T0.44_1_tc07.npz"), read("data/ours.h5")

A file is recognised by its content, not by its name, and may be gzip. A reader finds frames (`base`), one check turns
them into configurations (`accept`); an error is one line that names the file, the line and what to do. Adding a format
is adding one file with a `@file_format`. docs/configurations.md describes how each dialect is read.
Units: those of the file, which must be Lennard-Jones.
"""

from __future__ import annotations

import gzip
import math
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from mdgen.formats.accept import accept
from mdgen.formats.base import Format, Frame, Frames, file_format
from mdgen.formats.independence import is_same, require_independent
from mdgen.formats.text import unpacked
from mdgen.initial import Configuration
from runkit.errors import UserError
from runkit.files import expand

_HEAD = 65536  # bytes by which a format is recognised
# What NumPy, zipfile, h5py and gsd raise for files that are broken or none of theirs.
_UNREADABLE = (OSError, EOFError, ValueError, LookupError, RuntimeError, SyntaxError, TypeError, OverflowError)
_UNREADABLE += (MemoryError, zlib.error, zipfile.BadZipFile, struct.error)  # type: ignore[assignment]


def read(
    path: Path | str,
    *,
    density: float | None = None,
    species: Sequence[str] = (),
    frames: int | Sequence[int] = (),
) -> list[Configuration]:
    """The configurations of a file, in the order of its frames; those of one structure at several times are one.

    `density` gives a cubic box where the file has none (published npz: 1.2). `species` names species 0, 1, … as the
    file does, where these are not A, B, … or numbers. `frames` counts from 0, or from -1 backwards; none: all.
    Raises `UserError` if the file cannot be read, or what it holds cannot be a configuration.
    """
    return list(configurations(*_checked(path, density, species, frames)))


def load(
    patterns: Sequence[str],
    density: float | None = None,
    species: Sequence[str] = (),
    frames: Sequence[int] = (),
    most: int | None = None,
) -> list[Configuration]:
    """Starts of a run: up to `most` configurations of the files that `patterns` match, in natural order.

    Only chosen frames are read. Raises `UserError` as `read`, and if nothing matches, numbers of particles differ, or
    one is a later moment of the one before it in its file.
    """
    found = list(islice(_independent(expand(patterns, "initial.file"), density, species, frames), most))
    for other in found:
        if len(other.species) != len(found[0].species):
            raise UserError(
                f"{other.source} has {len(other.species)} particles, {found[0].source} has {len(found[0].species)}: "
                "all samples of a run need the same number"
            )
    return found


def _checked(
    path: object, density: float | None, species: Iterable[object], frames: int | Iterable[int]
) -> tuple[Path, float | None, list[str], list[int]]:
    """The arguments of `read`; raises `UserError` for those that are none."""
    if not isinstance(path, (str, os.PathLike)):
        raise UserError(f"path = {path!r}: the name of a file is needed")
    is_number = isinstance(density, (int, float)) and not isinstance(density, bool)
    if density is not None and not (is_number and math.isfinite(density) and density > 0):
        raise UserError(f"density = {density!r}: a positive number is needed")
    wanted = [frames] if isinstance(frames, (int, np.integer)) else frames
    if isinstance(wanted, str) or not _all(wanted, (int, np.integer)):
        raise UserError(f"frames = {frames!r}: whole numbers are needed, from 0, or from -1 backwards")
    if isinstance(species, str) or not _all(species, (str, int, np.integer)):
        raise UserError(f"species = {species!r}: a list of the names of species 0, 1, … is needed")
    return Path(path), density, [str(name) for name in species], [int(i) for i in wanted]


def _all(values: object, kinds: tuple[type, ...]) -> bool:
    try:
        listed = list(values) if isinstance(values, Iterable) else None
    except TypeError:  # an array of no dimensions
        listed = None
    return listed is not None and all(isinstance(one, kinds) and type(one) is not bool for one in listed)


def _independent(
    paths: Sequence[Path], density: float | None, species: Sequence[str], frames: Sequence[int]
) -> Iterator[Configuration]:
    for path in paths:
        before, in_time = None, _format_of(path).in_time
        for one in configurations(path, density, species, frames):
            if before is not None and in_time:
                require_independent(one, before)
            yield one
            before = one


def configurations(
    path: Path, density: float | None, species: Sequence[str], frames: Sequence[int]
) -> Iterator[Configuration]:
    """As `read`, one after another: a frame is read when the iterator reaches it."""
    reader = _format_of(path)
    before, time = None, ""
    try:
        with _ready(path, reader) as ready:
            for parse in _chosen(reader.frames(ready), frames, path):
                frame = parse()
                one = accept(frame, f"{path}, {frame.place}" if frame.place else str(path), species, density)
                if before is None or not (time and frame.time != time and is_same(one, before)):
                    yield one
                before, time = one, frame.time
    except _UNREADABLE as error:
        name = next(name for name in file_format.names() if file_format.get(name) is reader)
        raise UserError(f"{path}: cannot be read as {name}: {getattr(error, 'strerror', None) or error}") from error
    if before is None:
        raise UserError(f"{path}: no configuration is there")


def _format_of(path: Path) -> type[Format]:
    """The format whose mark a file bears; of two, the one of its suffix."""
    try:
        with unpacked(path) as file:
            head = file.read(_HEAD)
    except (OSError, EOFError, ValueError, zlib.error) as error:  # ValueError: a name that no file can have
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    known = {name: file_format.get(name) for name in file_format.names()}
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    fitting = [one for one in known.values() if one.recognises(head)]
    fitting.sort(key=lambda one: suffix not in one.suffixes)
    if fitting:
        return fitting[0]
    meant = next((f"; it is no {name} file" for name, one in known.items() if suffix in one.suffixes), "")
    what = "is empty" if not head else f"cannot be read as any known format{meant}"
    raise UserError(f"{path} {what}; known: {', '.join(known)}, and each of them packed by gzip")


@contextmanager
def _ready(path: Path, reader: type[Format]) -> Iterator[Path]:
    """The path that a reader opens: a library needs the unpacked file, so it gets it in a temporary folder."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not (packed and reader.needs_file):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name.removesuffix(".gz")
        with gzip.open(path) as content, copy.open("wb") as file:
            shutil.copyfileobj(content, file)
        yield copy


def _chosen(frames: Frames, wanted: Sequence[int], path: Path) -> Frames:
    """The frames of these numbers, in the order of the file; reading ends with the last of them."""
    if not wanted:
        yield from frames
        return
    backwards = -min(0, *wanted)
    last, tail, n_frames = max(wanted), deque[tuple[int, Callable[[], Frame]]](maxlen=max(backwards, 1)), 0
    for i, parse in enumerate(frames):
        n_frames = i + 1
        if i in wanted:
            yield parse
        elif backwards:
            tail.append((i, parse))
        if not backwards and i == last:
            return
    missing = [i for i in wanted if not -n_frames <= i < n_frames]
    if missing:
        raise UserError(f"{path}: no frame {missing[0]}; it has {n_frames}, which count from 0, or from -1 backwards")
    yield from (parse for i, parse in tail if i - n_frames in wanted)
