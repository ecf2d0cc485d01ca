"""The arrays of published npz files, and whether they can be what they are taken for: for
`tools.import_botan` and `tools.score_glassbench`.

Source: pyg_botan, https://github.com/h3-Open-BDEC/pyg_botan; GlassBench, doi:10.5281/zenodo.10118191.
Units: Lennard-Jones.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mdgen.formats.npz import temperature_of
from mdgen.initial import Configuration
from runkit.errors import UserError

SLACK = 0.06  # of an edge: by how much particles of a wrapped trajectory may stand outside, between two wraps


def keys(path: str) -> list[str]:
    """Names of the arrays of a file; raises `UserError` if it is no npz."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return list(file.files)
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as npz: {error}") from error


def array(path: str, key: str) -> np.ndarray:
    """An array as float64; raises `UserError` if there is none of this name."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file[key], dtype=np.float64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {key!r} cannot be read: {error}") from error


def finite(path: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of finite numbers of a shape; raises `UserError` if it is something else."""
    values = array(path, key)
    if values.shape != shape or not np.isfinite(values).all():
        raise UserError(f"{path}: {key!r} has shape {values.shape}; finite numbers {shape} are needed")
    return values


def digest(paths: Iterable[str]) -> str:
    """A digest of the content of the files: of the checksums that an npz holds of its arrays."""
    content = hashlib.sha256()
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            content.update(repr([(one.filename, one.CRC, one.file_size) for one in archive.infolist()]).encode())
    return content.hexdigest()


def temperature(path: str, given: float | None) -> float:
    """The temperature in a file or its name, or the one given; raises `UserError` if these differ."""
    said = temperature_of(Path(path), array(path, "temperature") if "temperature" in keys(path) else None)
    if said is None and given is None:
        raise UserError(f"{path}: no temperature in its name, such as N4096T0.44; give temperature=…")
    if said is not None and given is not None and not math.isclose(said, given, rel_tol=1e-6):
        raise UserError(f"temperature = {given:g}: {path} says {said:g}; leave temperature out, or mend the file")
    return said if given is None else given  # type: ignore[return-value]


def trajectories(path: str, start: Configuration, n_replicas: int) -> np.ndarray:
    """Positions [n_replicas, n_particles, 3] of one file, from the configuration `start`."""
    position = array(path, "positions")
    wanted = (n_replicas, len(start.species), 3)
    if position.shape != wanted or not np.isfinite(position).all():
        raise UserError(f"{path}: 'positions' has shape {position.shape}; {wanted} of finite numbers are needed")
    initial = array(path, "initial_positions")
    require_unwrapped(path, position - initial, position, start.box)
    offset = initial - start.position
    if not np.allclose(offset, np.round(offset / start.box) * start.box, atol=1e-6):
        raise UserError(f"{path} starts from another configuration than {start.source}")
    return position - np.round(offset / start.box) * start.box


def require_unwrapped(path: str, moved: np.ndarray, position: np.ndarray, box: np.ndarray) -> None:
    """Raise `UserError` if trajectories [n_replicas, n, 3] were wrapped into the box: displacements would be wrong.

    Particles that have moved by half an edge are rare or, late, many; either way some stand far outside the box then.
    In a wrapped trajectory, particles jump by an edge and none ever stands outside, or by no more than programs let
    them go between two wraps.
    """
    furthest, span = np.abs(moved).max(axis=1) / box, np.ptp(position, axis=1) / box
    wrapped = np.argwhere(((furthest > 0.5) & (span <= 1 + 1e-6)) | ((furthest > 0.85) & (span <= 1 + SLACK)))
    if len(wrapped):
        replica, axis = wrapped[0]
        raise UserError(
            f"{path}: 'positions' of replica {replica} are wrapped into the box: none is outside it along "
            f"{'xyz'[axis]}, but a particle has moved by {furthest[replica, axis]:.2g} edges; unwrapped trajectories "
            "are needed"
        )
