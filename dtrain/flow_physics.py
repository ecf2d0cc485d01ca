"""Residuals of the equations of flow in predicted frames, on stored cells, at the interval of frames.

Stored frames are coarse: many steps lie between two, and a cell is the mean of several sites. So the simulation has
residuals, too, of what is not resolved. A loss takes the difference of the residuals of prediction and simulation
(`physics_losses`): the coarse equation is closed by the simulation's own remainder.
Differences are central; a residual counts in cells whose four neighbours are fluid too, and in frames between others.
Source: M. Raissi et al., J. Comput. Phys. 378, 686 (2019) (residuals in a loss).
Units: lattice units; c_s^2 = 1/3. Fields are density and velocity [n, 3, t, x, y], masks [n, 1, 1, x, y] of 1 and 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SOUND = 1.0 / 3.0  # square of the speed of sound
TERMS = ("continuity", "momentum", "wall", "faces")
WALL = 1.5  # cells from a surface within which the velocity is continued to it


@dataclass(frozen=True)
class Scene:
    """Where and when frames were taken: `distance` [n, 1, 1, x, y] to surfaces and width of a `cell` in sites, steps.

    `speed` makes residuals dimensionless: one of order 1 is as large as the flow's spread over a cell.
    """

    fluid: Tensor
    distance: Tensor
    cell: float
    interval: float
    speed: float


def continuity(frames: Tensor, scene: Scene) -> Tensor:
    """d rho / dt + div (rho u), times cell over speed [n, 1, t - 2, x - 2, y - 2]; density changes, if weakly."""
    momentum = frames[:, :1] * frames[:, 1:]
    outflow = _along(momentum[:, :1], -2) + _along(momentum[:, 1:], -1)
    change = _in_time(frames[:, :1])[..., 1:-1, 1:-1] / scene.interval
    return (change * scene.cell + outflow[:, :, 1:-1]) / scene.speed


def momentum(frames: Tensor, scene: Scene) -> Tensor:
    """du/dt + (u grad) u + c_s^2 grad ln rho, times cell over speed squared [n, 2, t - 2, x - 2, y - 2].

    The viscous part is left to the remainder: it is one over the Reynolds number of a cell, about a twentieth.
    """
    velocity, inner = frames[:, 1:], frames[:, 1:, 1:-1, 1:-1, 1:-1]
    pressure = SOUND * torch.cat([_along(frames[:, :1].log(), axis) for axis in (-2, -1)], 1)
    carried = inner[:, :1] * _along(velocity, -2)[:, :, 1:-1] + inner[:, 1:] * _along(velocity, -1)[:, :, 1:-1]
    change = _in_time(velocity)[..., 1:-1, 1:-1] / scene.interval
    return (change * scene.cell + carried + pressure[:, :, 1:-1]) / scene.speed**2


def wall(frames: Tensor, scene: Scene) -> Tensor:
    """Velocity continued in a straight line to the surface, over speed [n, 2, t, x - 2, y - 2]: nothing slips there."""
    velocity, cells = frames[:, 1:], scene.distance / scene.cell
    normal = [_along(cells, axis) for axis in (-2, -1)]
    slope = normal[0] * _along(velocity, -2) + normal[1] * _along(velocity, -1)
    return (velocity[..., 1:-1, 1:-1] - cells[..., 1:-1, 1:-1] * slope) / scene.speed


def physics_losses(found: Tensor, wanted: Tensor, scene: Scene, weights: dict[str, float]) -> dict[str, Tensor]:
    """Term -> mean squared difference of residuals of prediction and simulation [n], of the terms with a weight.

    "faces" is the difference of velocity itself in the cells at the four faces: what flows in, and symmetry planes.
    """
    inner = _inner(scene.fluid)
    near = scene.fluid[..., 1:-1, 1:-1] * (scene.distance[..., 1:-1, 1:-1].abs() < WALL * scene.cell)
    losses = {}
    for name, residual, mask in (
        ("continuity", continuity, inner),
        ("momentum", momentum, inner),
        ("wall", wall, near),
    ):
        if weights.get(name, 0.0) > 0:
            losses[name] = _mean((residual(found, scene) - residual(wanted, scene)).square(), mask)
    if weights.get("faces", 0.0) > 0:
        edge = torch.ones_like(scene.fluid)
        edge[..., 1:-1, 1:-1] = 0
        error = ((found - wanted)[:, 1:] / scene.speed).square()
        losses["faces"] = _mean(error, edge * scene.fluid)
    return losses


def _along(values: Tensor, axis: int) -> Tensor:
    """Central difference along x (-2) or y (-1) per cell, in the cells off the edges of both."""
    across = -1 if axis == -2 else -2
    values = values.narrow(across, 1, values.shape[across] - 2)
    n = values.shape[axis] - 2
    return (values.narrow(axis, 2, n) - values.narrow(axis, 0, n)) / 2


def _in_time(values: Tensor) -> Tensor:
    """Central difference per frame, in the frames between others."""
    return (values[:, :, 2:] - values[:, :, :-2]) / 2


def _inner(fluid: Tensor) -> Tensor:
    """Cells off the edges that are fluid with their four neighbours."""
    return (
        fluid[..., 1:-1, 1:-1]
        * fluid[..., 2:, 1:-1]
        * fluid[..., :-2, 1:-1]
        * fluid[..., 1:-1, 2:]
        * fluid[..., 1:-1, :-2]
    )


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean [n] over the places where a mask that broadcasts is 1; 0 without such a place."""
    axes = tuple(range(1, values.dim()))
    return (values * mask).sum(axes) / mask.expand_as(values).sum(axes).clamp(min=1)
