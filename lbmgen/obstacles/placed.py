"""Shapes placed in a domain, and the distance to several of them.

Units: sites (the spacing of the simulated grid) and radians. The flow goes along +x, y lies across it.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.shape import Shape
from runkit.arrays import F64, Array
from runkit.errors import UserError


@dataclass(frozen=True)
class PlacedShape:
    """A shape of a family, scaled by `size` [site], turned counterclockwise about z by `angle`, moved to `center` [d].

    A shape of two dimensions stands in a domain of three as a cylinder that goes through it along z.
    """

    family: str
    parameters: Mapping[str, Any]
    center: tuple[float, ...]
    size: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        try:
            plain = {"center": tuple(map(float, self.center)), "size": float(self.size), "angle": float(self.angle)}
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"obstacle {self.family!r}: center, size and angle must be numbers: {error}") from None
        self.__dict__.update(plain, parameters=dict(self.parameters))
        if not (math.isfinite(self.size) and self.size > 0):
            raise UserError(f"obstacle {self.family!r}: size = {self.size} is not allowed; allowed: more than 0 sites")
        if not all(map(math.isfinite, (*self.center, self.angle))):
            raise UserError(f"obstacle {self.family!r}: center = {self.center}, angle = {self.angle} must be finite")
        if len(self.center) < (needed := self.shape.dimensions):
            message = f"obstacle {self.family!r} has {needed} dimensions, center = {self.center} has {len(self.center)}"
            raise UserError(f"{message}; a grid.lattice of {needed} dimensions is needed, such as D3Q19")

    @cached_property
    def shape(self) -> Shape:
        """The shape in its own units; wrong parameters raise UserError."""
        return obstacle.build(self.family, **self.parameters)

    def at(self, center: Sequence[float]) -> PlacedShape:
        """The same body elsewhere."""
        moved = copy.copy(self)
        moved.__dict__["center"] = tuple(map(float, center))
        return moved

    @property
    def radius(self) -> float:
        """Radius of a circle about the center that holds the body [site]."""
        return self.size * self.shape.radius

    @property
    def thickness(self) -> float:
        """Diameter of the largest circle that fits into the body [site]."""
        return self.size * self.shape.thickness

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest y of the body [site]."""
        return self.extent(1)

    @property
    def width(self) -> float:
        """Extent across the flow, along y [site]."""
        return self.span[1] - self.span[0]

    def extent(self, axis: int) -> tuple[float, float]:
        """Lowest and highest coordinate of the body along an axis [site]; without end along z for a cylinder."""
        if axis >= self.shape.dimensions:
            return -math.inf, math.inf
        direction = _turned(np.eye(self.shape.dimensions)[axis], -self.angle)
        low, high = self.shape.support(-direction), self.shape.support(direction)
        return self.center[axis] - self.size * low, self.center[axis] + self.size * high

    def distance(self, points: F64) -> F64:
        """Signed distance [...] of points [..., d] to the surface [site], negative inside."""
        return self.size * self.shape.distance(_turned(self._offset(points), -self.angle) / self.size)

    def surface(self, spacing: float) -> F64:
        """Points [n, dimensions of the shape] on the surface, none of it farther than spacing / 2 from one [site]."""
        points = self.size * self.shape.surface(spacing / self.size)
        return _turned(points, self.angle) + self.center[: self.shape.dimensions]

    def nearest_possible(self, points: F64) -> F64:
        """A lower bound of `distance` that costs next to nothing: the distance to the circle that holds the body."""
        found: F64 = np.linalg.norm(self._offset(points), axis=-1) - self.radius
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, words and lists, for JSON."""
        return {**asdict(self), "center": list(self.center)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PlacedShape:
        """The body that `as_dict` wrote down."""
        return cls(**values)

    def _offset(self, points: F64) -> F64:
        dimensions = self.shape.dimensions
        return np.asarray(points, dtype=np.float64)[..., :dimensions] - self.center[:dimensions]


def _turned(points: F64, angle: float) -> F64:
    """Points [..., d] turned about z; by sums written out, since a matrix product may round as its length wills."""
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y, *np.moveaxis(points[..., 2:], -1, 0)], axis=-1)


def shifts(periods: Sequence[float | None]) -> Iterator[F64]:
    """Where a body and its next images are: 0 first, then one period either way along each axis that has one."""
    steps = [(0.0,) if period is None else (0.0, -period, period) for period in periods]
    return map(np.array, itertools.product(*steps))


def union_distance(bodies: Sequence[PlacedShape], points: F64, periods: Sequence[float | None] | None = None) -> Array:
    """The distance of `nearest_body` alone."""
    return nearest_body(bodies, points, periods)[0]


def nearest_body(
    bodies: Sequence[PlacedShape],
    points: F64,
    periods: Sequence[float | None] | None = None,
    reach: float = math.inf,
) -> tuple[Array, Array]:
    """Signed distance [...] of points [..., d] to the nearest of several bodies [site], and the number [...] of that
    body; `reach` and 0 if none is nearer than that, which costs next to nothing.

    The least of the single distances: exact outside, and everywhere for bodies that do not touch. Where bodies overlap
    the sign is right, but the depth is that in the body where it is largest, less than the depth in the union. With
    `periods` (one per axis, None for an axis without), and points and centers in the domain, periodic images count.
    """
    points = np.asarray(points, dtype=np.float64)
    flat = points.reshape(-1, points.shape[-1])
    nearest, number = np.full(len(flat), reach), np.zeros(len(flat), np.int32)
    for (i, body), shift in itertools.product(enumerate(bodies), shifts(periods or [None] * points.shape[-1])):
        image = flat - shift
        near = np.flatnonzero(body.nearest_possible(image) < nearest)
        distance = body.distance(image[near])
        closer = distance < nearest[near]
        nearest[near[closer]], number[near[closer]] = distance[closer], i
    return nearest.reshape(points.shape[:-1]), number.reshape(points.shape[:-1])
