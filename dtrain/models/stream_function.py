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

import torch
from torch import Tensor

from dtrain.models.mirrors import NO_PLANES, Planes
from dtrain.models.periodic import Axes

FAINT = 1e-9  # square of a difference that is none: of a constant, and of a checkerboard


def curl(stream: Tensor, periodic: Axes, spreads: Sequence[float], planes: Planes = NO_PLANES) -> Tensor:
    """Velocities [n, 2, t, x, y] of a stream function [n, 1, t, x, y], in units of `spreads`: d/dy and -d/dx, by cell.

    Differences are central, so the divergence by central differences vanishes in all cells but those of the edge.
    Beyond it the function goes on at the other side of a periodic axis, with the opposite sign beyond a symmetry plane,
    so that nothing flows through it, and in a straight line elsewhere.
    """
    x, y = (
        (after - before) / 2
        for after, before in (
            _neighbours(stream, axis, wraps, mirrors)
            for axis, wraps, mirrors in zip((-2, -1), periodic, planes, strict=True)
        )
    )
    return torch.cat([y / spreads[0], -x / spreads[1]], 1) * min(spreads)


def without_divergence(
    velocity: Tensor, periodic: Axes, spreads: Sequence[float], planes: Planes = NO_PLANES
) -> Tensor:
    """The velocities nearest to given ones [n, 2, t, x, y], in units of `spreads`, that `curl` gives of some function.

    The orthogonal projection of the velocities themselves, so that what has a stream function stays as it is.
    """
    (qx, dx, lx), (qy, dy, ly) = (
        tuple(part.to(velocity) for part in _modes(n, wraps, tuple(mirrors)))
        for n, wraps, mirrors in zip(velocity.shape[-2:], periodic, planes, strict=True)
    )
    u, v = velocity[:, :1] * spreads[0], velocity[:, 1:] * spreads[1]
    stiffness = lx[:, None] + ly
    found = qx.T @ u @ dy - dx.T @ v @ qy
    found = torch.where(stiffness > FAINT, found / stiffness.clamp(min=FAINT), 0.0)
    return torch.cat([qx @ found @ dy.T / spreads[0], -(dx @ found @ qy.T) / spreads[1]], 1)


@lru_cache(maxsize=64)
def _modes(n: int, wraps: bool, mirrors: tuple[bool, bool]) -> tuple[Tensor, Tensor, Tensor]:
    """Orthogonal modes [n, mode] along an axis, their differences as `curl` takes them, and the squares of these."""
    after, before = _neighbours(torch.eye(n, dtype=torch.float64), -1, wraps, mirrors)
    difference = ((after - before) / 2).T
    squares, modes = torch.linalg.eigh(difference.T @ difference)
    return modes, difference @ modes, squares.clamp(min=0.0)


def _neighbours(values: Tensor, axis: int, wraps: bool, mirrors: tuple[bool, bool]) -> tuple[Tensor, Tensor]:
    """The next and the last value along an axis, of every cell."""
    if wraps:
        return values.roll(-1, axis), values.roll(1, axis)
    n = values.shape[axis]
    edges = ((mirrors[0], 0, min(1, n - 1)), (mirrors[1], n - 1, max(0, n - 2)))
    ends = [
        -values.narrow(axis, i, 1) if mirror else 2 * values.narrow(axis, i, 1) - values.narrow(axis, j, 1)
        for mirror, i, j in edges
    ]
    longer = torch.cat([ends[0], values, ends[1]], axis)
    return longer.narrow(axis, 2, n), longer.narrow(axis, 0, n)
