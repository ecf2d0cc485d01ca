"""Replicas on the CPU: bundles of a few that share the lanes of a vector, formed anew as replicas spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mdgen.bundle import Bundle, System
from mdgen.ensemble import Ensemble
from mdgen.integrators import advance, advance_coupled
from mdgen.kernels.fire import Valley
from mdgen.snapshot import Seen

if TYPE_CHECKING:
    from mdgen.kernels.cpu import Kernels

REGROUP = 2000  # steps after which it is asked whether replicas should still share a list
ALONE = 1.2  # time for an entry of the list of one replica, over that of an entry shared by many


class Bundles:
    """All replicas of an ensemble, at `position` with `velocity` [R, n, 3] in the order of summation."""

    def __init__(self, kernels: Kernels, ensemble: Ensemble, position, velocity):
        self._ensemble = ensemble
        self._count: Counter[str] = Counter()
        self._asked = 0, 0.0  # number and length of steps
        self.parts: list[Bundle] = []
        for index in _of_one_system(ensemble):
            first = index[0]
            system = System(ensemble.species[first].copy(), ensemble.box[first], ensemble, kernels, self._count)
            for k in range(0, len(index), kernels.LANES):
                group = index[k : k + kernels.LANES]
                self.parts.append(Bundle(system, group, position[group], velocity[group], len(group) > 1))

    @property
    def frozen(self) -> np.ndarray:
        """Which replicas have blown up [R]."""
        return self._collect(lambda bundle: bundle.frozen)

    @property
    def statistics(self) -> dict[str, int]:
        """How many lists were made, and the entries of the present ones."""
        count = {name: int(self._count[name]) for name in ("n_builds", "n_prunes", "dangerous_builds")}
        return count | {"entries": sum(bundle.neighbors.length for bundle in self.parts)}

    def place(self, position, velocity) -> None:
        """Put the replicas at these positions and velocities [R, n, 3]."""
        for bundle in self.parts:
            bundle.place(position[bundle.index], velocity[bundle.index])

    def evaluate(self) -> None:
        """Forces at the present positions."""
        for bundle in self.parts:
            bundle.evaluate()

    def begin(self, n_steps: int, dt: float) -> None:
        """Ask for `n_steps` steps from where forces are known; `finish` takes them, there is no one else."""
        self._asked = n_steps, dt

    def finish(self) -> None:
        """Take the steps."""
        n_steps, dt = self._asked
        for first in range(0, n_steps, REGROUP):
            chunk = min(REGROUP, n_steps - first)
            if self._ensemble.thermostat is None:
                for bundle in self.parts:
                    advance(bundle, chunk, dt)
            else:
                advance_coupled(self.parts, chunk, dt, self._ensemble.thermostat)
            if chunk == REGROUP:
                self.regroup()

    def regroup(self) -> None:
        """Form bundles anew for speed. This does not change a bit of any trajectory."""
        self.parts = [part for bundle in self.parts for part in _split(bundle)]

    def minimize(self, tolerance: float, most: int) -> Valley:
        """Go down to where no force component exceeds `tolerance`, in `most` iterations of FIRE, and rest there."""
        found = self._collect(lambda bundle: np.stack(bundle.minimize(tolerance, most), axis=1))
        return Valley(found[:, 0], found[:, 1].astype(int))

    def snapshot(self) -> Callable[[], Seen]:
        """What is to be seen now."""
        energies, kinetic = self._collect(Bundle.energies), self._collect(Bundle.kinetic_energy)
        seen = Seen(self.array("position"), energies, kinetic, self.frozen)
        return lambda: seen

    def array(self, name: str) -> np.ndarray:
        """`position`, `velocity` or `force`, float64 [R, n, 3]."""
        return self._collect(lambda bundle: bundle.array(name))

    def _collect(self, of) -> np.ndarray:
        """What `of` gives for the replicas of each bundle, in the order of all replicas."""
        values = np.concatenate([of(bundle) for bundle in self.parts])
        return values[np.argsort(np.concatenate([bundle.index for bundle in self.parts]))]


def _of_one_system(ensemble: Ensemble) -> list[np.ndarray]:
    """Which replicas have the same species, box and order, and may share a list."""
    found: dict[bytes, list[int]] = {}
    for replica, parts in enumerate(zip(ensemble.species, ensemble.box, ensemble.order, strict=True)):
        found.setdefault(b"".join(part.tobytes() for part in parts), []).append(replica)
    return [np.array(index) for index in found.values()]


def _split(bundle: Bundle) -> list[Bundle]:
    """The bundle, or its replicas one by one if they have spread so far that a list for all is too long."""
    if not bundle.replicas or bundle.frozen.any():
        return [bundle]
    position, velocity = bundle.array("position"), bundle.array("velocity")
    one = slice(0, 1)
    alone = Bundle(bundle.system, bundle.index[one], position[one], velocity[one], replicas=False)
    alone.evaluate()
    if bundle.neighbors.length < ALONE * len(bundle.index) * alone.neighbors.length:
        return [bundle]
    rest = [slice(k, k + 1) for k in range(1, len(bundle.index))]
    parts = [Bundle(bundle.system, bundle.index[k], position[k], velocity[k], replicas=False) for k in rest]
    for part in parts:
        part.evaluate()
    return [alone, *parts]
