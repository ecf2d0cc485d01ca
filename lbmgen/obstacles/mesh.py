"""A body of three dimensions from a file of triangles: STL, OBJ or PLY, closed, as CAD programs write them.

The signed distance is exactly that to the triangles; its sign follows from the normals of the nearest triangle, edge or
corner. trimesh reads and checks the file, libigl finds the nearest triangle; both are imported at first use.

Source: J. A. Baerentzen, H. Aanaes, IEEE Trans. Vis. Comput. Graph. 11, 243 (2005), doi:10.1109/TVCG.2005.49.
Units: the reference diameter, given in the units of the file; the origin is the middle of the box around the body.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.shape import Shape
from runkit.arrays import F64, I64
from runkit.errors import UserError

KINDS = ".stl", ".obj", ".ply"


class Mesh(Shape):
    """What closed triangles `face` [n, 3] of `vertex` [m, 3] surround, their normals outwards."""

    dimensions = 3

    def __init__(self, vertex: F64, face: I64) -> None:
        self._vertex, self._face = np.ascontiguousarray(vertex, np.float64), np.ascontiguousarray(face, np.int64)
        self.radius = float(np.linalg.norm(self._vertex, axis=1).max())

    def distance(self, points: F64) -> F64:
        import igl

        flat = np.ascontiguousarray(np.asarray(points, np.float64).reshape(-1, 3))
        if not len(flat):
            return np.zeros(np.shape(points)[:-1])
        kind = igl.SIGNED_DISTANCE_TYPE_PSEUDONORMAL
        return np.asarray(igl.signed_distance(flat, self._vertex, self._face, kind)[0]).reshape(np.shape(points)[:-1])

    def support(self, direction: F64) -> float:
        return float((self._vertex * direction).sum(axis=1).max())

    def surface(self, spacing: float) -> F64:
        # The parts of a triangle that is cut into n x n have edges of 1 / n of its own; no point of one is farther than
        # its longest edge over sqrt(3) from a corner.
        corner = self._vertex[self._face]
        longest = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
        parts, found = np.maximum(1, np.ceil(2 / np.sqrt(3) * longest / spacing)).astype(np.int64), []
        for n in np.unique(parts):
            i, j = (index.ravel() for index in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
            inside = i + j <= n
            share = np.stack([n - i - j, i, j], axis=-1)[inside] / n
            found.append(sum(share[:, k, None] * corner[parts == n][:, None, k] for k in range(3)).reshape(-1, 3))
        return np.concatenate(found)


@obstacle("mesh")
def mesh(path: str, diameter: float) -> Mesh:
    """Closed triangles in an .stl, .obj or .ply file; `diameter` is the reference diameter in its units."""
    if not isinstance(path, str) or Path(path).suffix.lower() not in KINDS:
        raise ValueError(f"path = {path!r} is not allowed; allowed: a file that ends in {', '.join(KINDS)}")
    if not diameter > 0:
        raise ValueError(f"diameter = {diameter} is not allowed; allowed: more than 0")
    try:
        about = os.stat(path)
    except OSError as error:
        raise UserError(f"obstacle file {path}: {(error.strerror or 'no such file').lower()}") from None
    return _mesh(path, float(diameter), (about.st_mtime_ns, about.st_size))


@lru_cache(maxsize=8)
def _mesh(path: str, diameter: float, version: tuple[int, int]) -> Mesh:
    """The body in one `version` of a file, kept since every draw of every case needs it."""
    body = _read(path)
    low, high = body.bounds
    return Mesh((body.vertices - (low + high) / 2) / diameter, body.faces)


def _read(path: str) -> Any:
    """The mesh in a file, its normals outwards; raises UserError."""
    try:
        import igl  # noqa: F401  (imported here so that its absence is found before anything runs)
        import trimesh
    except ImportError as error:
        raise UserError(f"obstacle file {path}: {error}; meshes need pip install trimesh libigl") from None
    try:
        body = trimesh.load(path, force="mesh")
    except Exception as error:  # whatever its many readers raise
        raise UserError(f"obstacle file {path}: cannot be read as a mesh ({type(error).__name__}: {error})") from error
    if not (isinstance(body, trimesh.Trimesh) and len(body.faces) and np.isfinite(body.vertices).all()):
        raise UserError(f"obstacle file {path}: it holds no triangles")
    # CAD programs write triangles with two corners in one place: they are edges, and have two neighbours too few.
    body.update_faces([len(set(corners)) == 3 for corners in body.faces.tolist()])
    if not (body.is_watertight and body.is_winding_consistent):
        raise UserError(f"obstacle file {path}: the triangles do not close, or their normals disagree; repair the mesh")
    if body.volume < 0:
        body.invert()
    return body
