"""Collision laws: one per file, registered by name; `Collision` is the protocol of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lbmgen.lattices import Lattice
from runkit.formula import Value
from runkit.registry import Registry


class Collision(Protocol):
    """A collision law: a frozen dataclass of its own parameters, which raises ValueError for those it cannot have.

    Units: lattice units.
    """

    @property
    def least_tau(self) -> float:
        """The smallest relaxation time at which a vortex street stays stable.

        It flows at velocity 0.08 between an inlet and an open face through which sound leaves.
        """

    @property
    def least_tau_sliding(self) -> float:
        """The same of a square cavity whose lid slides at up to 0.098, from rest at once.

        Its corners, where walls of unlike velocity meet, excite what a street does not (docs/validation.md).
        """

    @property
    def least_tau_reflecting(self) -> float:
        """The same of the street where an outlet sends sound back (a face with `reflects`)."""

    def __hash__(self) -> int:
        """Compiled kernels are kept by their law."""

    def rates(self, tau: float) -> tuple[float, ...]:
        """The numbers that a site needs, at relaxation time tau = 3 nu + 1/2."""

    def collide(
        self, lattice: Lattice, h: Sequence[Value], rates: Sequence[Value], force: Sequence[Value] | None = None
    ) -> list[Value]:
        """Populations [q] after the collision, from those before it, `h` [q], and the numbers of `rates`.

        `h` holds deviations from rest (`lbmgen.equilibrium`); `force` is a force density [d] or None. A law only adds,
        multiplies, divides and takes roots of its values, which are arrays in tests and vector registers in kernels.
        """


collision: Registry[Collision] = Registry("collision", "lbmgen.collisions")
