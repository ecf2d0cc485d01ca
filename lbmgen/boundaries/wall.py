"""Walls that populations bounce back from half-way between sites: at rest, sliding, or letting fluid in at a velocity.

What comes back has gained the momentum of the wall: h_i = h_opposite + 6 w_i c_i·u_wall (the density there taken as 1,
so that the mass that enters is exactly the given one).

Source: A. J. C. Ladd, J. Fluid Mech. 271, 285 (1994), doi:10.1017/S0022112094001771.
Units: lattice units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lbmgen.boundaries import boundary
from runkit.errors import UserError


@boundary("no-slip")
@dataclass(frozen=True)
class NoSlip:
    """A wall that moves at `velocity` [d] (none: at rest)."""

    velocity: Sequence[float] = ()
    kind = "WALL"
    priority = 1

    def __post_init__(self) -> None:
        if not all(math.isfinite(component) for component in self.velocity):
            raise ValueError(f"velocity = {list(self.velocity)}; finite numbers are needed")

    def velocity_at(self, fraction: np.ndarray, axis: int) -> np.ndarray:
        """Velocity [n, d] at places [n, d], given as fractions of the domain; raises UserError."""
        given = list(self.velocity) or [0.0] * fraction.shape[1]
        if len(given) != fraction.shape[1] or given[axis] != 0:
            raise UserError(
                f"boundary 'no-slip': velocity = {given}; {fraction.shape[1]} components are needed, 0 across the wall"
            )
        return np.broadcast_to(np.asarray(given, np.float64), fraction.shape)


@boundary("velocity")
@dataclass(frozen=True)
class Velocity:
    """An inlet of mean velocity `velocity` into the domain; `profile` is uniform, or parabolic between walls."""

    velocity: float = 0.0
    profile: str = "uniform"
    kind = "OPEN"
    priority = 2

    def __post_init__(self) -> None:
        if not math.isfinite(self.velocity):
            raise ValueError(f"velocity = {self.velocity}; a finite number is needed")
        if self.profile not in ("uniform", "parabolic"):
            raise ValueError(f"profile = {self.profile!r}; allowed: 'uniform', 'parabolic'")

    def velocity_at(self, fraction: np.ndarray, axis: int) -> np.ndarray:
        """Velocity [n, d] at places [n, d], given as fractions of the domain."""
        speed = np.full(len(fraction), float(self.velocity))
        if self.profile == "parabolic":
            for across in range(fraction.shape[1]):
                if across != axis:
                    speed = speed * 6 * fraction[:, across] * (1 - fraction[:, across])
        result = np.zeros_like(fraction)
        result[:, axis] = np.where(fraction[:, axis] < 0.5, speed, -speed)
        return result
