"""The protocol between `Dynamics` and a back end, which holds replicas and advances them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from mdgen.kernels.fire import Convergence
from mdgen.snapshot import Seen
from runkit.arrays import F64, Bools


class Engine(Protocol):
    """All R replicas of an ensemble, of n particles in the order of summation.

    All engines give the same bits. Units: those of the potential; mass 1. Raises UserError if the memory of its machine
    does not suffice.
    """

    @property
    def frozen(self) -> Bools:
        """Which replicas have blown up [R]: they rest where they last were sound."""

    @property
    def statistics(self) -> Mapping[str, int]:
        """`n_builds` of outer and `n_prunes` of inner lists, `dangerous_builds` that came too late, and `entries`.

        The last is that of the present inner lists.
        """

    def place(self, position: F64, velocity: F64) -> None:
        """Put the replicas at these positions and velocities [R, n, 3]; none is frozen then."""

    def evaluate(self) -> None:
        """Forces at the present positions."""

    def begin(self, n_steps: int, dt: float) -> None:
        """Start steps of length `dt` from where forces are known; the thermostat must not be used until `finish`.

        Nothing else is called in between.
        """

    def finish(self) -> None:
        """Wait until the steps have been taken; forces are known then."""

    def minimize(self, tolerance: float, most: int) -> Convergence:
        """Minimise the energy until no force component exceeds `tolerance`, in at most `most` iterations of FIRE."""

    def snapshot(self) -> Callable[[], Seen]:
        """Start to fetch the present state, where forces are known; the returned function waits for it.

        It may be called until the next snapshot, and raises RuntimeError after that.
        """

    def array(self, name: str) -> F64:
        """A copy of `position`, `velocity` or `force` [R, n, 3]; positions are unwrapped."""
