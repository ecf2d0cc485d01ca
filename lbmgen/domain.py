"""The domain of a case: its sites, its faces and what is solid in it.

Site centres lie at index + 1/2, so that n sites span [0, n] and half-way walls lie exactly on the faces.
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbmgen.boundaries.periodic import Periodic
from runkit.errors import UserError

Faces = tuple[tuple[Any, Any], ...]
AXES = "xyz"


@dataclass(frozen=True)
class Domain:
    """Sites [d] and, for each axis, the boundaries at its low and its high face."""

    shape: tuple[int, ...]
    faces: Faces

    def __post_init__(self) -> None:
        for axis, pair in enumerate(self.faces):
            if sum(isinstance(face, Periodic) for face in pair) == 1:
                raise UserError(f"boundaries: both faces of axis {AXES[axis]} must be periodic, or none")

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Which axes are periodic."""
        return tuple(isinstance(low, Periodic) for low, _ in self.faces)


@dataclass(frozen=True)
class Body:
    """What is solid among the sites of a block and its ghosts: bool [n + 2, …], and the signed distance or None."""

    solid: np.ndarray
    distance: np.ndarray | None = None

    @property
    def inner(self) -> np.ndarray:
        """`solid` without ghosts."""
        return self.solid[(slice(1, -1),) * self.solid.ndim]


def body_of(
    distance: Callable[[np.ndarray], np.ndarray], origin: Sequence[int], shape: Sequence[int], domain: Domain
) -> Body:
    """The body in a block from a function of places [..., d] in the domain to signed distances."""
    axes = []
    for start, n, total, periodic in zip(origin, shape, domain.shape, domain.periodic, strict=True):
        place = start + np.arange(-1, n + 1)
        axes.append((place % total if periodic else place) + 0.5)
    values = distance(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    return Body(values <= 0, values)


def cut(values: np.ndarray, domain: Domain, origin: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """The part of a global array that belongs to a block and its ghosts; periodic, else continued by its edge."""
    picks = []
    for start, n, total, periodic in zip(origin, shape, domain.shape, domain.periodic, strict=True):
        index = start + np.arange(-1, n + 1)
        picks.append(index % total if periodic else np.clip(index, 0, total - 1))
    return values[np.ix_(*picks)]
