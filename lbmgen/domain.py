"""The domain of a case: its sites, its faces and what is solid in it.

Site centres lie at index + 1/2, so that n sites span [0, n] and half-way walls lie exactly on the faces.
Units: lattice units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lbmgen.boundaries.face import OPEN, PERIODIC, Face, named
from runkit.arrays import F64, I64, Array, Bools
from runkit.errors import UserError

Faces = tuple[tuple[Face, Face], ...]
AXES = "xyz"
SIDES = "low", "high"


@dataclass(frozen=True)
class Domain:
    """Sites [d] and, for each axis, the boundaries at its low and its high face."""

    shape: tuple[int, ...]
    faces: Faces

    def __post_init__(self) -> None:
        for axis, pair in enumerate(self.faces):
            if sum(face.way == PERIODIC for face in pair) == 1:
                raise UserError(f"boundaries: both faces of axis {AXES[axis]} must be periodic, or none")

    @property
    def named_faces(self) -> dict[str, Face]:
        """Each face by its name, such as x_low, which is its key in [boundaries]."""
        pairs = zip(AXES, self.faces, strict=False)
        return {f"{axis}_{side}": face for axis, pair in pairs for side, face in zip(SIDES, pair, strict=True)}

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Which axes are periodic."""
        return tuple(low.way == PERIODIC for low, _ in self.faces)

    @property
    def no_slip(self) -> tuple[tuple[bool, bool], ...]:
        """Which faces are no-slip walls."""
        return tuple((low.is_no_slip, high.is_no_slip) for low, high in self.faces)

    @property
    def holds_density(self) -> bool:
        """Whether there is an open face, which draws the density to a given one."""
        return any(face.way == OPEN for pair in self.faces for face in pair)

    def require_fit(self) -> None:
        """Raise UserError if a face does not fit its place."""
        for axis, pair in enumerate(self.faces):
            for face in pair:
                face.require_fit(axis, self)

    def require_way_out(self) -> None:
        """Raise UserError if inlets fill a domain that has no open face."""
        inflow = [
            face.inflow * math.prod(self.shape) / self.shape[axis]
            for axis, pair in enumerate(self.faces)
            for face in pair
            if face.inflow is not None
        ]
        if not self.holds_density and abs(sum(inflow)) > 1e-9 * sum(map(abs, inflow)):
            kinds = " or ".join(map(repr, named(OPEN)))
            raise UserError(
                f"boundaries: fluid is let in or out and there is no open face; allowed: kind = {kinds} for a face, or "
                "inlets that together let in as much as they let out"
            )


@dataclass(frozen=True)
class Body:
    """The solid sites of a block and its ghosts: bool [n + 2, …], and the signed distance or None.

    The force on each of `n_bodies` is measured; `number` [n + 2, …] is the body of each site, None: all are of one.
    """

    solid: Bools
    distance: F64 | None = None
    number: I64 | None = None
    n_bodies: int = 1

    @property
    def inner(self) -> Bools:
        """`solid` without ghosts."""
        return self.solid[(slice(1, -1),) * self.solid.ndim]


def body_of(distance: Callable[[Array], Array], origin: Sequence[int], shape: Sequence[int], domain: Domain) -> Body:
    """The body in a block from a function of places [..., d] in the domain to signed distances."""
    values = distance(places_of(origin, shape, domain))
    return Body(values <= 0, values)


def places_of(origin: Sequence[int], shape: Sequence[int], domain: Domain) -> F64:
    """Centres [n + 2, …, d] of the sites of a block and of its ghosts, which lie in the domain along periodic axes."""
    axes = []
    for start, n, total, periodic in zip(origin, shape, domain.shape, domain.periodic, strict=True):
        place = start + np.arange(-1, n + 1)
        axes.append((place % total if periodic else place) + 0.5)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def cut(values: Array, domain: Domain, origin: Sequence[int], shape: Sequence[int]) -> Array:
    """The part of a global array that belongs to a block and its ghosts; periodic, else continued by its edge."""
    picks = []
    for start, n, total, periodic in zip(origin, shape, domain.shape, domain.periodic, strict=True):
        index = start + np.arange(-1, n + 1)
        picks.append(index % total if periodic else np.clip(index, 0, total - 1))
    return values[np.ix_(*picks)]
