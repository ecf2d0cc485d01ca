"""Faces of a domain: the base class of all kinds, and that of open ones.

Populations come back through a face in one of four ways: it is PERIODIC, or a MIRROR, or they BOUNCE off it as off a
wall, or it is OPEN, and a formula gives what enters. The rest of the code uses these members alone and no kind by name.
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import ClassVar, Self

import numpy as np

from lbmgen.boundaries import boundary
from lbmgen.boundaries.profile import DomainShape
from lbmgen.boundaries.site import Link, Site
from runkit.arrays import F64
from runkit.formula import Value

PERIODIC, MIRROR, BOUNCE, OPEN = "periodic", "mirror", "bounce", "open"


class Face:
    """Base of all kinds, which are frozen dataclasses of their parameters."""

    way: ClassVar[str] = BOUNCE
    kind: ClassVar[str] = "WALL"  # the name of the_well for it, WALL, OPEN or PERIODIC
    priority: ClassVar[int] = 9  # the lower wins where a link leaves the domain through two faces
    from_flow: ClassVar[str] = ""  # the parameter that is the velocity of the flow unless it is given
    is_no_slip: ClassVar[bool] = False  # whether fluid sticks to it, so that a developed flow has a profile
    may_touch: ClassVar[bool] = False  # whether bodies may reach through it
    reflects: ClassVar[bool] = False  # whether it sends back the sound that reaches it, though vortices leave there
    least_tau: ClassVar[float] = 0.5  # the smallest relaxation time at which it is stable, where laws need less

    @property
    def inflow(self) -> float | None:
        """Mean velocity at which it lets fluid in; None if it sets none."""
        return None

    @property
    def slide(self) -> float:
        """Speed at which it slides."""
        return 0.0

    def fastest(self, axis: int, domain: DomainShape) -> float:
        """The largest speed that it gives to fluid, as a face at right angles to `axis` of a domain."""
        return self.slide

    def require_fit(self, axis: int, domain: DomainShape) -> None:
        """Raise UserError if it cannot be at this face of a domain."""

    def velocity_at(self, place: F64, axis: int, domain: DomainShape) -> F64:
        """Velocity [n, d] that populations bounce off at places [n, d] of the face."""
        return np.zeros_like(place)


class Open(Face, ABC):
    """Base of open faces: they hold the density of the far field, and formulas give what enters.

    Parameters are numbers. A formula is computed in double precision, by arithmetic alone, for each link through the
    face at each step: `arriving(site, link)` is the population that enters, from parameters of the face (`self`), which
    are values there as all others are, and from what `Site` and `Link` have. A face with a `guess`, a first value of
    it, may use `site.arrived` and `link.guess` too.
    """

    way = OPEN
    kind = "OPEN"
    priority = 3
    density: float

    @abstractmethod
    def arriving(self, site: Site, link: Link) -> Value:
        """The population that enters along a link."""

    def guess(self, site: Site, link: Link) -> Value:
        """A first value of it, which cannot depend on `site.arrived`."""
        return 0.0

    @classmethod
    def of_values(cls, values: Iterable[Value]) -> Self:
        """The face for its own formulas: with values of any algebra as its parameters, which nobody has checked."""
        face = object.__new__(cls)
        for name, value in zip(cls.parameters(), values, strict=False):
            object.__setattr__(face, name, value)
        return face

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Names of its parameters, in their order."""
        return tuple(field.name for field in fields(cls))  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        for name in self.parameters():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
                raise ValueError(f"{name} = {value!r}; a finite number is needed")
        if not self.density > 0:
            raise ValueError(f"density = {self.density:g}; allowed: above 0")


@cache
def open_faces() -> tuple[type[Open], ...]:
    """All kinds of open faces, in the order of their names; kernels number them so."""
    parts = map(boundary.get, boundary.names())
    return tuple(part for part in parts if issubclass(part, Open))


def most_parameters() -> int:
    """The largest number of parameters of a kind of open face: the width of tables of them."""
    return max((len(face.parameters()) for face in open_faces()), default=0)


def named(*ways: str) -> tuple[str, ...]:
    """Names of all kinds that are of these ways."""
    return tuple(name for name in boundary.names() if boundary.get(name).way in ways)
