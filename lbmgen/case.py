"""One case of a run: bodies, fluid and velocity, and the numbers that follow from them.

Units: lattice units.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from lbmgen.domain import Domain
from lbmgen.obstacles.placed import PlacedShape, nearest_body
from runkit.arrays import F64, I64
from runkit.errors import UserError

LONGEST_DESCRIPTION = 2048


@dataclass(frozen=True)
class Case:
    """Case `number`: its bodies, domain, fluid and velocity."""

    number: int
    domain: Domain
    bodies: tuple[PlacedShape, ...]
    reynolds: float
    velocity: float
    length: float
    rejections: dict[str, int]

    @property
    def viscosity(self) -> float:
        return self.velocity * self.length / self.reynolds

    @property
    def tau(self) -> float:
        """Relaxation time."""
        return 3 * self.viscosity + 0.5

    def distance(self, points: F64) -> F64:
        """Signed distance [...] of points [..., d] to the bodies."""
        return self.nearest(points)[0]

    def nearest(self, points: F64, reach: float = math.inf) -> tuple[F64, I64]:
        """Signed distance [...] of points [..., d] to the nearest body, up to `reach`, and its number [...]."""
        periods = [n if is_periodic else None for n, is_periodic in zip(self.shape, self.domain.periodic, strict=True)]
        return nearest_body(self.bodies, points, periods, reach)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sites along each axis."""
        return self.domain.shape

    @property
    def area(self) -> float:
        """Reference area of coefficients: length times what of z the largest body spans; in two dimensions length."""
        if len(self.shape) == 2:
            return self.length
        largest = max(self.bodies, key=lambda body: body.width, default=None)
        return self.length * (self.shape[2] if largest is None or largest.shape.dimensions == 2 else self.length)

    @property
    def is_nominal(self) -> bool:
        """Whether nothing in the domain has the reference velocity: neither inlet nor sliding wall."""
        return not any(face.inflow is not None or face.slide for pair in self.domain.faces for face in pair)

    def description(self) -> str:
        """All that was drawn, as JSON."""
        about = {
            "case": self.number,
            "obstacles": [body.as_dict() for body in self.bodies],
            "reynolds_number": self.reynolds,
            "velocity": self.velocity,
            "length": self.length,
            "area": self.area,
            "is_nominal": self.is_nominal,
            "tau": self.tau,
            "rejections": self.rejections,
        }
        text = json.dumps(about, separators=(",", ":"))
        if len(text) > LONGEST_DESCRIPTION:
            raise UserError(
                f"obstacles: the description of a case with {len(self.bodies)} bodies has {len(text)} characters; "
                f"allowed: {LONGEST_DESCRIPTION}; use fewer bodies, or a file for a polygon of many vertices"
            )
        return text
