"""A body from a file: a mask of solid cells, or the signed distance at the centres of cells.

A mask is bounded by the faces between its solid and its fluid cells, and the distance is exactly that to these faces:
laid cell on site, it gives the half-way walls of the mask. A signed distance is interpolated between the centres.
Arrays are indexed [x, y]; their middle is the origin.
Units: the reference diameter, given in the units of the file.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.outline import Outline
from lbmgen.obstacles.shape import Shape
from runkit.arrays import F64, Array, Bools
from runkit.errors import UserError


class Interpolated(Shape):
    """The signed distance `value` [nx, ny] at the centres of cells of width `cell`, linear along x and y between them.

    Outside the array it is the value at its edge plus the distance to there, which the true distance does not exceed.
    """

    def __init__(self, value: F64, cell: float) -> None:
        self._value, self._cell = value, cell
        self._middle, self._last = (np.array(value.shape) - 1) / 2, np.array(value.shape) - 1
        solid = np.lib.stride_tricks.sliding_window_view(value <= 0, (2, 2))
        self._crossed = np.argwhere(solid.any(axis=(2, 3)) & ~solid.all(axis=(2, 3)))
        self._zeros = self._crossings(1)
        self.radius = float(np.linalg.norm(self._zeros, axis=1).max() + cell)

    def distance(self, points: F64) -> F64:
        index = np.asarray(points, dtype=np.float64) / self._cell + self._middle
        held = np.clip(index, 0, self._last)
        found: F64 = self._between(held) + self._cell * np.linalg.norm(index - held, axis=-1)
        return found

    def support(self, direction: F64) -> float:
        return float((self._zeros * direction).sum(axis=1).max())

    def surface(self, spacing: float) -> F64:
        # A part of a cell that the surface enters has a crossing on its rim, a diagonal away at most.
        return self._crossings(int(np.ceil(np.sqrt(8) * self._cell / spacing)))

    def _between(self, index: F64) -> F64:
        """The value [...] at places [..., 2] counted in cells from the first centre."""
        base = np.minimum(index.astype(int), self._last - 1)
        (i, j), (s, t) = np.moveaxis(base, -1, 0), np.moveaxis(index - base, -1, 0)
        value = self._value
        low = (1 - t) * value[i, j] + t * value[i, j + 1]
        high = (1 - t) * value[i + 1, j] + t * value[i + 1, j + 1]
        found: F64 = (1 - s) * low + s * high
        return found

    def _crossings(self, parts: int) -> F64:
        """Points [n, 2] where the value vanishes on the lines that cut each crossed cell into `parts` x `parts`."""
        ticks = np.linspace(0, 1, parts + 1)
        within: F64 = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)
        index = self._crossed[:, None, None] + within
        value, found = self._between(index), []
        for start, end in (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:, :, :-1], np.s_[:, :, 1:]):
            crossed = (value[start] <= 0) != (value[end] <= 0)
            a, b = value[start][crossed][:, None], value[end][crossed][:, None]
            found.append((index[start][crossed] * b - index[end][crossed] * a) / (b - a))
        return (np.concatenate(found) - self._middle) * self._cell


@obstacle("file")
def file(path: str, diameter: float, spacing: float = 1.0, name: str = "") -> Shape:
    """A mask (bool or integers, solid where not 0) or a signed distance (floats, negative inside) in .npy or .npz.

    `spacing` is the width of a cell and `diameter` the reference diameter, both in the unit of the distances in the
    file; `name` picks an array of an .npz that has several.
    """
    if not all(isinstance(word, str) for word in (path, name)):
        raise ValueError(f"path = {path!r}, name = {name!r} must be texts")
    array = _load(path, name)
    if not (spacing > 0 and diameter > 0):
        raise ValueError(f"spacing = {spacing}, diameter = {diameter} are not allowed; allowed: more than 0")
    if array.ndim != 2 or min(array.shape) < 3 or array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ValueError(f"{path}: {array.dtype} {array.shape}: finite numbers [nx, ny] are needed")
    if array.dtype.kind == "f" and np.isin(array, (0, 1)).all():
        raise ValueError(f"{path}: {array.dtype} 0 and 1 is neither a mask (bool or integers) nor a signed distance")
    solid = array <= 0 if array.dtype.kind == "f" else array != 0
    border = solid.copy()
    border[1:-1, 1:-1] = False
    if border.any() or not solid.any():
        raise ValueError(f"{path}: the body must lie inside the array and not touch its border")
    if array.dtype.kind == "f":
        return _interpolated(path, array.astype(np.float64), spacing, diameter)
    return Outline(*[(loop - np.array(array.shape) / 2) * spacing / diameter for loop in outlines(solid)])


def _interpolated(path: str, value: F64, spacing: float, diameter: float) -> Interpolated:
    slope = np.median(np.linalg.norm(np.gradient(value, spacing), axis=0))
    if not 0.8 < slope < 1.25:
        raise ValueError(
            f"{path}: the distance changes by {slope:.3g} per unit of length, not by 1; is spacing = {spacing} right?"
        )
    return Interpolated(value / diameter, spacing / diameter)


def outlines(solid: Bools) -> list[F64]:
    """Loops of corners [n, 2] along the faces between solid and fluid cells, with the solid ones on the left."""
    after: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    padded = np.pad(solid, 1)
    # Seen from a solid cell: towards its fluid neighbour, and from which corner to which that face runs.
    for (di, dj), start, end in (
        ((0, -1), (0, 0), (1, 0)),
        ((1, 0), (1, 0), (1, 1)),
        ((0, 1), (1, 1), (0, 1)),
        ((-1, 0), (0, 1), (0, 0)),
    ):
        for cell in np.argwhere(padded & ~np.roll(padded, (-di, -dj), axis=(0, 1))) - 1:
            after[tuple(cell + start)].append(tuple(cell + end))
    loops = []
    while after:
        loop = [next(iter(after))]
        while loop[-1] in after:
            corner = loop[-1]
            loop.append(after[corner].pop())
            if not after[corner]:
                del after[corner]
        loops.append(np.array(loop[:-1], dtype=np.float64))
    return loops


def _load(path: str, name: str) -> Array:
    try:
        held = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"obstacle file {path}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if Path(path).suffix.lower() not in (".npy", ".npz"):
            raise UserError(
                f"obstacle file {path}: allowed: a .npy or .npz file with a mask or distance; of triangles: mesh"
            ) from None
        reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise UserError(f"obstacle file {path}: cannot be read as .npy or .npz of numbers{reason}") from error
    if isinstance(held, np.ndarray):
        return held
    with held:
        if not name and len(held.files) == 1:
            name = held.files[0]
        if name not in held.files:
            raise UserError(f"obstacle file {path}: name = {name!r} is not in it; allowed: {', '.join(held.files)}")
        found: Array = held[name]
        return found
