"""A few replicas that are advanced together, laid out for the kernels.

A batch is either up to LANES replicas side by side in the lanes of a vector, sharing one neighbour list, or one
replica with its particles side by side. Both follow the same trajectory bit for bit (see `kernels.cpu.lists`).
Units: lengths and times of the potential; mass 1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mdgen.ensemble import Ensemble
from mdgen.kernels import Kernels, Law, State, fire, prerounding
from mdgen.neighbors import NeighborList
from runkit.arrays import F64, I32, I64, Array

CACHE_LINE = 64  # bytes


@dataclass(frozen=True)
class System:
    """What replicas of a batch share: species int32 [n] in the order of summation, box [3], what they belong to, the
    kernels, and where lists are counted."""

    species: I32
    box: F64
    ensemble: Ensemble
    kernels: Kernels
    count: Counter[str]

    def law(self, precision: str) -> Law:
        """The pair law for the kernels; single precision takes integer places."""
        scale = self.box * (2.0**-32 if precision == "float32" else 1.0)
        return Law(self.species, self.ensemble.potential.table(precision).ravel(), scale.astype(precision))


class ReplicaBatch:
    """Replicas number `index`, at `position` with `velocity` [n_replicas, n, 3]; `replicas`: these are the lanes."""

    def __init__(self, system: System, index: I64, position: F64, velocity: F64, replicas: bool) -> None:
        self.system, self.kernels, self.index, self.replicas = system, system.kernels, np.asarray(index), replicas
        self.frozen = np.zeros(len(self.index), bool)
        self.neighbors = NeighborList(
            system.kernels, system.species, system.ensemble.potential.cutoff, system.box, replicas, system.count
        )
        self._unit, self._law = 2.0**32 / system.box, system.law(system.ensemble.precision)
        self.place(position, velocity)

    def place(self, position: F64, velocity: F64) -> None:
        """Put the replicas at these positions and velocities [n_replicas, n, 3]."""
        position, velocity = _aligned(self._pack(position)), _aligned(self._pack(velocity))
        coordinate = _aligned(np.zeros(position.size, np.int32))
        place = coordinate if self.system.ensemble.precision == "float32" else _aligned(np.zeros_like(position))
        force = _aligned(np.zeros(position.size, self.system.ensemble.precision))
        self.state = State(position, velocity, force, coordinate, place)
        self.kernels.locate(position, self._unit, coordinate)
        self.frozen[:] = False

    def array(self, name: str) -> F64:
        """`position`, `velocity` or `force` as float64 [n_replicas, n, 3]."""
        return self._unpack(getattr(self.state, name).astype(np.float64))

    def integrate(self, n_steps: int, n_kicks: int, dt: float) -> int:
        """Steps as long as the list is valid (see `kernels.cpu.motion`)."""
        self._refresh_list(dt)
        lists = self.neighbors
        given = n_steps, n_kicks, self.state, self._steps(dt), self._unit
        return self.kernels.integrate(self.replicas, *given, lists.clusters, lists.inner, self._law, lists.inner_check)

    def kick(self, dt: float) -> None:
        """Half a step of the velocities."""
        self.kernels.kick(self.state.velocity, self.state.force, self._steps(dt))

    def evaluate(self, dt: float = 0.0) -> None:
        """Forces at the present positions, which a step of length `dt` has led to."""
        self._refresh_list(dt)
        if self.state.place is not self.state.coordinate:
            self.kernels.locate(self.state.position, self._unit * 2.0**-32, self.state.place)
        lists = self.neighbors
        self.kernels.forces(self.replicas, self.state.place, self.state.force, lists.clusters, lists.inner, self._law)

    def minimize(self, tolerance: float, most: int) -> fire.Convergence:
        """Minimise the energy until no force component exceeds `tolerance`, in at most `most` iterations of FIRE."""
        shape = (len(self.index), len(self.system.species), 3)

        def put(flat: F64) -> None:
            position = flat.reshape(-1, 3, shape[1]).transpose(0, 2, 1)
            self.place(position, np.zeros(shape))

        def force_at(flat: F64) -> F64:
            put(flat)
            self.evaluate()
            return _flat(self.array("force"))

        found, convergence = fire.descend(force_at, _flat(self.array("position")), tolerance, most)
        put(found)
        return convergence

    def energies(self) -> F64:
        """Potential energy and virial [n_replicas, 2], in float64 whatever the precision of the forces."""
        self._refresh_list(0.0)
        place, lists = np.empty_like(self.state.position), self.neighbors
        self.kernels.locate(self.state.position, self._unit * 2.0**-32, place)
        energy, virial = np.zeros((2, len(place)))
        law = self.system.law("float64")
        self.kernels.energies(self.replicas, place, energy, virial, lists.clusters, lists.inner, law)
        return np.stack([self._unpack(each)[..., 0].cumsum(axis=1)[:, -1] for each in (energy, virial)], axis=1)

    def kinetic_energy(self) -> F64:
        """Kinetic energy [n_replicas], not a number for a replica that has blown up."""
        energy = np.empty(self.kernels.LANES)
        self.kernels.kinetic_energy(self.replicas, self.state.velocity, prerounding(len(self.system.species)), energy)
        return np.where(self.frozen, np.nan, energy[: len(self.index)])

    def rescale(self, factor: F64) -> None:
        """Multiply the velocities of each replica by its factor [n_replicas]."""
        factor = np.where(self.frozen, 1.0, factor)
        self.state.velocity.reshape(-1, self.kernels.LANES)[:] *= self._to_lanes(factor)

    def _refresh_list(self, dt: float) -> None:
        if not self.neighbors.is_valid(self.state.coordinate):
            self._freeze_blown_up(dt)
            self.neighbors.refresh(self.state.coordinate)

    def _freeze_blown_up(self, dt: float) -> None:
        """Freeze replicas that have blown up at their last sound state: the others go on undisturbed."""
        speed = np.abs(self._unpack(self.state.velocity)).max(axis=(1, 2))
        longest = self.system.ensemble.longest_step
        blown_up = ~(speed * dt <= longest) & ~self.frozen
        if not blown_up.any():
            return
        self.frozen |= blown_up
        state, lanes = self.state, self.kernels.LANES
        assert self.neighbors.inner_check is not None  # nothing moves without lists
        last = self.neighbors.inner_check.reference.reshape(-1, 3, lanes) * (self.system.box * 2.0**-32)[:, None]
        for array, value in ((state.position, last.reshape(-1, lanes)), (state.velocity, 0.0), (state.force, 0.0)):
            np.copyto(array.reshape(-1, lanes), value, where=self._to_lanes(blown_up) > 0)
        self.kernels.locate(state.position, self._unit, state.coordinate)

    def _steps(self, dt: float) -> F64:
        """The time step of each lane: zero for a replica that has blown up."""
        return self._to_lanes(np.where(self.frozen, 0.0, dt))

    def _to_lanes(self, value: ArrayLike) -> F64:
        """One value per replica, in the lanes that hold it."""
        of_replica: F64 = np.asarray(value, np.float64)
        return of_replica[self._lanes_from()]

    def _lanes_from(self) -> I64:
        """The replica in each lane: spare lanes repeat the last one."""
        return np.minimum(np.arange(self.kernels.LANES), len(self.index) - 1)

    def _pack(self, array: F64) -> F64:
        """[n_replicas, n, 3] as flat blocks; spare particles are zero."""
        array, lanes = np.asarray(array, np.float64), self.kernels.LANES
        if self.replicas:
            return np.ascontiguousarray(array[self._lanes_from()].transpose(1, 2, 0)).ravel()
        padded = np.pad(array[0], ((0, -array.shape[1] % lanes), (0, 0)))
        return np.ascontiguousarray(padded.reshape(-1, lanes, 3).transpose(0, 2, 1)).ravel()

    def _unpack(self, flat: Array) -> Array:
        blocks = flat.reshape(-1, 3, self.kernels.LANES)
        if self.replicas:
            return np.ascontiguousarray(blocks.transpose(2, 0, 1)[: len(self.index)])
        return np.ascontiguousarray(blocks.transpose(0, 2, 1)).reshape(1, -1, 3)[:, : len(self.system.species)]


def _flat(array: F64) -> F64:
    """[R, n, 3] as [R, 3 n]: axis after axis."""
    return array.transpose(0, 2, 1).reshape(len(array), -1)


def _aligned(array: Array) -> Array:
    """A copy that starts with a cache line, so that no vector straddles two."""
    buffer = np.empty(array.nbytes + CACHE_LINE, np.uint8)
    first = -buffer.ctypes.data % CACHE_LINE
    copy = buffer[first : first + array.nbytes].view(array.dtype)
    copy[:] = array
    return copy
