"""Replicas on the CPU: batches of a few that share the lanes of a vector, formed anew as replicas diverge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from mdgen.ensemble import Ensemble
from mdgen.integrators import advance, advance_coupled
from mdgen.kernels import Kernels
from mdgen.kernels.fire import Convergence
from mdgen.replica_batch import ReplicaBatch, System
from mdgen.snapshot import Seen
from runkit.arrays import F64, I64, Array, Bools

REGROUP = 2000  # steps between checks whether replicas should still share a list
ALONE = 1.2  # time for an entry of the list of one replica, over that of an entry shared by many


class CpuEngine:
    """All replicas of an ensemble, at `position` with `velocity` [R, n, 3] in the order of summation."""

    def __init__(self, kernels: Kernels, ensemble: Ensemble, position: F64, velocity: F64) -> None:
        self._ensemble = ensemble
        self._count: Counter[str] = Counter()
        self._asked = 0, 0.0  # number and length of steps
        self.batches: list[ReplicaBatch] = []
        for index in _of_one_system(ensemble):
            first = index[0]
            system = System(ensemble.species[first].copy(), ensemble.box[first], ensemble, kernels, self._count)
            for k in range(0, len(index), kernels.LANES):
                group = index[k : k + kernels.LANES]
                self.batches.append(ReplicaBatch(system, group, position[group], velocity[group], len(group) > 1))

    @property
    def frozen(self) -> Bools:
        """Which replicas have blown up [R]."""
        return self._collect(lambda batch: batch.frozen)

    @property
    def statistics(self) -> dict[str, int]:
        """How many lists were made, and the entries of the present ones."""
        count = {name: int(self._count[name]) for name in ("n_builds", "n_prunes", "dangerous_builds")}
        return count | {"entries": sum(batch.neighbors.length for batch in self.batches)}

    def place(self, position: F64, velocity: F64) -> None:
        """Put the replicas at these positions and velocities [R, n, 3]."""
        for batch in self.batches:
            batch.place(position[batch.index], velocity[batch.index])

    def evaluate(self) -> None:
        """Forces at the present positions."""
        for batch in self.batches:
            batch.evaluate()

    def begin(self, n_steps: int, dt: float) -> None:
        """Note `n_steps` steps from where forces are known; `finish` takes them."""
        self._asked = n_steps, dt

    def finish(self) -> None:
        """Take the steps."""
        n_steps, dt = self._asked
        for first in range(0, n_steps, REGROUP):
            chunk = min(REGROUP, n_steps - first)
            if self._ensemble.thermostat is None:
                for batch in self.batches:
                    advance(batch, chunk, dt)
            else:
                advance_coupled(self.batches, chunk, dt, self._ensemble.thermostat)
            if chunk == REGROUP:
                self.regroup()

    def regroup(self) -> None:
        """Form batches anew for speed. This does not change a bit of any trajectory."""
        self.batches = [smaller for batch in self.batches for smaller in _split(batch)]

    def minimize(self, tolerance: float, most: int) -> Convergence:
        """Minimise the energy until no force component exceeds `tolerance`, in at most `most` iterations of FIRE."""
        found = self._collect(lambda batch: np.stack(batch.minimize(tolerance, most), axis=1))
        return Convergence(found[:, 0], found[:, 1].astype(int))

    def snapshot(self) -> Callable[[], Seen]:
        """The present state; nothing is deferred on the CPU."""
        energies, kinetic = self._collect(ReplicaBatch.energies), self._collect(ReplicaBatch.kinetic_energy)
        seen = Seen(self.array("position"), energies, kinetic, self.frozen)
        return lambda: seen

    def array(self, name: str) -> F64:
        """`position`, `velocity` or `force`, float64 [R, n, 3]."""
        return self._collect(lambda batch: batch.array(name))

    def _collect(self, of: Callable[[ReplicaBatch], Array]) -> Array:
        """Values `of` every batch, joined in the order of all replicas."""
        values = np.concatenate([of(batch) for batch in self.batches])
        return values[np.argsort(np.concatenate([batch.index for batch in self.batches]))]


def _of_one_system(ensemble: Ensemble) -> list[I64]:
    """Which replicas have the same species, box and order, and may share a list."""
    found: dict[bytes, list[int]] = {}
    for replica, parts in enumerate(zip(ensemble.species, ensemble.box, ensemble.order, strict=True)):
        found.setdefault(b"".join(part.tobytes() for part in parts), []).append(replica)
    return [np.array(index) for index in found.values()]


def _split(batch: ReplicaBatch) -> list[ReplicaBatch]:
    """The batch, or its replicas one by one if they have diverged so far that a list for all is too long."""
    if not batch.replicas or batch.frozen.any():
        return [batch]
    position, velocity = batch.array("position"), batch.array("velocity")
    one = slice(0, 1)
    alone = ReplicaBatch(batch.system, batch.index[one], position[one], velocity[one], replicas=False)
    alone.evaluate()
    if batch.neighbors.length < ALONE * len(batch.index) * alone.neighbors.length:
        return [batch]
    rest = [slice(k, k + 1) for k in range(1, len(batch.index))]
    others = [ReplicaBatch(batch.system, batch.index[k], position[k], velocity[k], replicas=False) for k in rest]
    for other in others:
        other.evaluate()
    return [alone, *others]
