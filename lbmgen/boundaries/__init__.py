"""What holds at the faces of the domain: one kind per file, registered by name.

A kind is a frozen dataclass. Each is a `Face`, and of its family a `Wall` or an `Outlet` too. A face lies half a site
outside the outermost sites. Units: lattice units.
"""

from __future__ import annotations

from typing import Protocol

from lbmgen.boundaries.profile import Room
from runkit.arrays import F64
from runkit.registry import Registry


class Face(Protocol):
    """A kind of face; it raises ValueError for parameters that it cannot have."""

    @property
    def kind(self) -> str:
        """The name of the_well for it: WALL, OPEN or PERIODIC."""

    @property
    def priority(self) -> int:
        """The lower wins where a link leaves the domain through two faces."""


class Wall(Face, Protocol):
    """What populations bounce back from, with the momentum of its velocity."""

    def velocity_at(self, place: F64, axis: int, room: Room) -> F64:
        """Velocity [n, d] at places [n, d] of the face at right angles to `axis` of a domain, `room`."""

    def require_fit(self, axis: int, room: Room) -> None:
        """Raise UserError if it cannot be at the faces at right angles to `axis`."""

    def fastest(self, axis: int, room: Room) -> float:
        """The largest speed at the face."""


class Outlet(Face, Protocol):
    """What lets fluid out: by a law with a density and, if populations are carried out, a speed."""

    @property
    def law(self) -> int: ...

    @property
    def density(self) -> float: ...

    @property
    def speed(self) -> float: ...


boundary: Registry[Face] = Registry("boundary", "lbmgen.boundaries")
