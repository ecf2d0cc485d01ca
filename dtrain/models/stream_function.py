"""Velocities of a stream function, which have no divergence whatever the function is, and the nearest to given ones.

Differences along x and along y are two small matrices, so the normal equations of the nearest stream function are
diagonal in the eigenvectors of both.
Source: G. K. Batchelor, An Introduction to Fluid Dynamics (1967), section 2.2; R. E. Lynch, J. R. Rice and
D. H. Thomas, Numer. Math. 6, 185 (1964), doi:10.1007/BF01386067 (direct solution by tensor products).
Units: cells for lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from dtrain.compilation import not_compiled
from dtrain.models.mirrors import NO_PLANES, Planes
from dtrain.models.periodic import Axes
from runkit.arrays import F64

FAINT = 1e-9  # square of a difference that is none: of a constant, and of a checkerboard
Key = tuple[int, bool, tuple[bool, bool]]  # cells along an axis, whether it is periodic, whether its faces are planes
Place = tuple[Key, torch.device, torch.dtype]
_kept: dict[Place, tuple[Tensor, ...]] = {}


def curl(stream: Tensor, periodic: Axes, spreads: Sequence[float], planes: Planes = NO_PLANES) -> Tensor:
    """Velocities [n, 2, t, x, y] of a stream function [n, 1, t, x, y], in units of `spreads`: d/dy and -d/dx, by cell.

    Differences are central, so the divergence by central differences vanishes in all cells but those of the edge.
    Beyond it the function goes on at the other side of a periodic axis, with the opposite sign beyond a symmetry plane,
    so that nothing flows through it, and in a straight line elsewhere.
    """
    (dx, *_), (dy, *_) = (_beside(stream, key) for key in _keys(stream, periodic, planes))
    return torch.cat([stream @ dy.T / spreads[0], -(dx @ stream) / spreads[1]], 1) * min(spreads)


def without_divergence(
    velocity: Tensor, periodic: Axes, spreads: Sequence[float], planes: Planes = NO_PLANES
) -> Tensor:
    """The velocities nearest to given ones [n, 2, t, x, y], in units of `spreads`, that `curl` gives of some function.

    The orthogonal projection of the velocities themselves, so that what has a stream function stays as it is.
    """
    with torch.autocast(velocity.device.type, enabled=False):  # half precision would leave divergence
        velocity = velocity.float() if velocity.dtype in (torch.float16, torch.bfloat16) else velocity
        (_, qx, dx, lx), (_, qy, dy, ly) = (_beside(velocity, key) for key in _keys(velocity, periodic, planes))
        u, v = velocity[:, :1] * spreads[0], velocity[:, 1:] * spreads[1]
        stiffness = lx[:, None] + ly
        found = qx.T @ u @ dy - dx.T @ v @ qy
        found = torch.where(stiffness > FAINT, found / stiffness.clamp(min=FAINT), 0.0)
        return torch.cat([qx @ found @ dy.T / spreads[0], -(dx @ found @ qy.T) / spreads[1]], 1)


def _keys(fields: Tensor, periodic: Axes, planes: Planes) -> list[Key]:
    return list(zip(fields.shape[-2:], periodic, planes, strict=True))


def _beside(like: Tensor, key: Key) -> tuple[Tensor, ...]:
    """`_matrices` where a tensor is; there they stay, but not beside one that has a shape and no values."""
    place = (key, like.device, like.dtype)
    if type(like) is Tensor and place in _kept:
        return _kept[place]
    return _made(like, place)


@not_compiled  # it asks NumPy
def _made(like: Tensor, place: Place) -> tuple[Tensor, ...]:
    with torch.inference_mode(False):  # gradients may go through them later
        found = tuple(torch.from_numpy(part).to(like.device, like.dtype) for part in _matrices(place[0]))
    if type(like) is Tensor:
        _kept[place] = found
    return found


@lru_cache(maxsize=64)
def _matrices(key: Key) -> tuple[F64, F64, F64, F64]:
    """Central differences [n, n] along an axis, orthogonal modes [n, mode], their differences, and their squares."""
    difference = _difference(key)
    squares, modes = np.linalg.eigh(difference.T @ difference)
    return difference, modes, difference @ modes, np.maximum(squares, 0.0)


def _difference(key: Key) -> F64:
    """The matrix [n, n] of central differences."""
    n, wraps, mirrors = key
    after, before = np.eye(n, k=1), np.eye(n, k=-1)
    if wraps:
        after[-1, 0] = before[0, -1] = 1.0
        return (after - before) / 2
    for matrix, mirror, end, inner in (
        (before, mirrors[0], 0, min(1, n - 1)),
        (after, mirrors[1], n - 1, max(0, n - 2)),
    ):
        matrix[end, end] += -1.0 if mirror else 2.0
        matrix[end, inner] -= 0.0 if mirror else 1.0
    return (after - before) / 2
