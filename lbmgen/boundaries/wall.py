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
from lbmgen.boundaries.face import Face
from lbmgen.boundaries.profile import DomainShape, has_profile, peak, profile
from runkit.arrays import F64
from runkit.errors import UserError


@boundary("no-slip")
@dataclass(frozen=True)
class NoSlip(Face):
    """A wall that moves at `velocity` [d] (none: at rest)."""

    velocity: Sequence[float] = ()
    priority = 1
    is_no_slip = True
    may_touch = True

    def __post_init__(self) -> None:
        if not all(math.isfinite(component) for component in self.velocity):
            raise ValueError(f"velocity = {list(self.velocity)}; finite numbers are needed")

    def velocity_at(self, place: F64, axis: int, domain: DomainShape) -> F64:
        """Velocity [n, d] at places [n, d] of the face at right angles to `axis` of a domain."""
        self.require_fit(axis, domain)
        return np.broadcast_to(np.asarray(self.velocity or [0.0] * place.shape[1], np.float64), place.shape)

    def require_fit(self, axis: int, domain: DomainShape) -> None:
        """Raise UserError if the wall cannot slide so at this face."""
        d = len(domain.shape)
        if self.velocity and (len(self.velocity) != d or self.velocity[axis] != 0):
            raise UserError(
                f"boundary 'no-slip': velocity = {list(self.velocity)}; {d} components are needed, 0 across the wall"
            )

    @property
    def slide(self) -> float:
        """The speed of the wall."""
        return math.hypot(*self.velocity)


@boundary("velocity")
@dataclass(frozen=True)
class Velocity(Face):
    """An inlet of mean velocity `velocity` into the domain; negative: an outlet.

    `profile` is uniform, or parabolic: that of a developed flow between the no-slip walls beside it (`profile.py`).
    """

    velocity: float = 0.0
    profile: str = "uniform"
    kind = "OPEN"
    priority = 2
    from_flow = "velocity"

    def __post_init__(self) -> None:
        if isinstance(self.velocity, bool) or not math.isfinite(self.velocity):
            raise ValueError(f"velocity = {self.velocity}; a finite number is needed")
        if self.profile not in ("uniform", "parabolic"):
            raise ValueError(f"profile = {self.profile!r}; allowed: 'uniform', 'parabolic'")

    @property
    def inflow(self) -> float:
        """The mean velocity."""
        return self.velocity

    def velocity_at(self, place: F64, axis: int, domain: DomainShape) -> F64:
        """Velocity [n, d] at places [n, d] of the face at right angles to `axis` of a domain."""
        speed = np.full(len(place), float(self.velocity))
        if self.profile == "parabolic":
            speed = speed * profile(place, axis, domain)
        result = np.zeros_like(place)
        result[:, axis] = np.where(place[:, axis] < 0.5 * domain.shape[axis], speed, -speed)
        return result

    def require_fit(self, axis: int, domain: DomainShape) -> None:
        """Raise UserError if the face has no walls that the profile needs."""
        if self.profile == "parabolic" and not has_profile(axis, domain):
            raise UserError("boundary 'velocity': profile = 'parabolic' needs a no-slip wall beside it; else 'uniform'")

    def fastest(self, axis: int, domain: DomainShape) -> float:
        """The speed of the fastest fluid."""
        return abs(self.velocity) * (peak(axis, domain) if self.profile == "parabolic" else 1.0)
