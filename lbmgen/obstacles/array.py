"""A body from a file: a mask of solid cells, or the signed distance at the centres of cells.

A mask is bounded by the faces between its solid and its fluid cells, and the distance is exactly that to these faces:
laid cell on site, it gives the half-way walls of the mask. A signed distance is interpolated between the centres.
Arrays are indexed [x, y]; their middle is the origin.
Units: the reference diameter, given in the units of the file.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.outline import Outline
from lbmgen.obstacles.shape import Shape
from runkit.errors import UserError


class Interpolated(Shape):
    """The signed distance `value` [nx, ny] at the centres of cells of width `cell`, linear along x and y between them.

    Outside the array it is the value at its edge plus the distance to there, which the true distance does not exceed.
    """

    def __init__(self, value: np.ndarray, cell: float) -> None:
        self._value, self._cell = value, cell
        self._middle = (np.array(value.shape) - 1) / 2
        self._zeros = self._crossings(value) * cell
        self.radius = float(np.linalg.norm(self._zeros, axis=1).max() + cell)

    def distance(self, points: np.ndarray) -> np.ndarray:
        index = np.asarray(points, dtype=np.float64) / self._cell + self._middle
        held = np.clip(index, 0, np.array(self._value.shape) - 1)
        beyond = self._cell * np.linalg.norm(index - held, axis=-1)
        base = np.minimum(held.astype(int), np.array(self._value.shape) - 2)
        (i, j), (s, t) = np.moveaxis(base, -1, 0), np.moveaxis(held - base, -1, 0)
        value = self._value
        left = (1 - t) * value[i, j] + t * value[i, j + 1]
        right = (1 - t) * value[i + 1, j] + t * value[i + 1, j + 1]
        return (1 - s) * left + s * right + beyond

    def support(self, direction: np.ndarray) -> float:
        return float((self._zeros * direction).sum(axis=1).max())

    def surface(self, spacing: float) -> np.ndarray:
        # The surface crosses some edge of each grid cell that it enters: half a diagonal of an edge is near.
        cell = min(self._cell, spacing / np.sqrt(8))
        count = np.ceil((np.array(self._value.shape) - 1) * self._cell / cell).astype(int) + 1
        axes = [np.linspace(-1, 1, n) * middle * self._cell for n, middle in zip(count, self._middle, strict=True)]
        fine = Interpolated._crossings(self.distance(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)))
        return fine * [2 * axis[-1] / (len(axis) - 1) for axis in axes]

    @staticmethod
    def _crossings(value: np.ndarray) -> np.ndarray:
        """Places [n, 2] in cells from the middle where the value goes through zero between neighbouring cells."""
        found = []
        for axis, step in enumerate(np.eye(2)):
            low, high = (np.take(value, np.arange(a, value.shape[axis] - 1 + a), axis=axis) for a in (0, 1))
            place = np.argwhere((low <= 0) != (high <= 0))
            a, b = low[tuple(place.T)], high[tuple(place.T)]
            found.append(place + (a / (a - b))[:, None] * step)
        return np.concatenate(found) - (np.array(value.shape) - 1) / 2


@obstacle("file")
def file(path: str, diameter: float, spacing: float = 1.0, name: str = "") -> Shape:
    """A mask (bool or integers, solid where not 0) or a signed distance (floats, negative inside) in .npy or .npz.

    `spacing` is the width of a cell and `diameter` the reference diameter, both in the unit of the distances in the
    file; `name` picks an array of an .npz that has several.
    """
    array = _load(path, name)
    if not (spacing > 0 and diameter > 0):
        raise ValueError(f"spacing = {spacing}, diameter = {diameter} are not allowed; allowed: more than 0")
    if array.ndim != 2 or min(array.shape) < 3 or array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ValueError(f"{path}: {array.dtype} {array.shape}: finite numbers [nx, ny] are needed")
    solid = array <= 0 if array.dtype.kind == "f" else array != 0
    border = solid.copy()
    border[1:-1, 1:-1] = False
    if border.any() or not solid.any():
        raise ValueError(f"{path}: the body must lie inside the array and not touch its border")
    if array.dtype.kind == "f":
        return _interpolated(path, array.astype(np.float64), spacing, diameter)
    return Outline(*[(loop - np.array(array.shape) / 2) * spacing / diameter for loop in outlines(solid)])


def _interpolated(path: str, value: np.ndarray, spacing: float, diameter: float) -> Interpolated:
    slope = np.median(np.linalg.norm(np.gradient(value, spacing), axis=0))
    if not 0.8 < slope < 1.25:
        raise ValueError(
            f"{path}: the distance changes by {slope:.3g} per unit of length, not by 1; is spacing = {spacing} right?"
        )
    return Interpolated(value / diameter, spacing / diameter)


def outlines(solid: np.ndarray) -> list[np.ndarray]:
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


def _load(path: str, name: str) -> np.ndarray:
    try:
        held = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"obstacle file {path}: cannot be read as .npy or .npz ({error})") from error
    if isinstance(held, np.ndarray):
        return held
    with held:
        if not name and len(held.files) == 1:
            name = held.files[0]
        if name not in held.files:
            raise UserError(f"obstacle file {path}: name = {name!r} is not in it; allowed: {', '.join(held.files)}")
        return held[name]
