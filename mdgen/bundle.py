"""A few replicas that are advanced together, laid out for the kernels.

A bundle is either up to LANES replicas side by side in the lanes of a vector, sharing one neighbour list, or one replica
with its particles side by side. Both follow the same trajectory bit for bit (see `kernels.cpu.pairs`).
Units: lengths and times of the potential; mass 1.
"""

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from mdgen.neighbors import NeighborList
from mdgen.potentials.pair import PairPotential

LONGEST_STEP = 0.5  # of a particle in one time step, in cutoffs: beyond it a trajectory has blown up


@dataclass(frozen=True)
class System:
    """What all replicas share: species int32 [n] in the order of summation, box [3], law, precision, kernels."""

    species: np.ndarray
    box: np.ndarray
    potential: PairPotential
    precision: str
    kernels: ModuleType

    def table(self, precision: str) -> np.ndarray:
        """Coefficients of each pair of species, flat (see `kernels.cpu.pairs`)."""
        p = self.potential
        columns = 48 * p.epsilon * p.sigma**12, -24 * p.epsilon * p.sigma**6, p.cutoff**2, p.shift
        return np.stack(columns, axis=-1).astype(precision).ravel()


class Bundle:
    """Replicas number `index`, at `position` with `velocity` [n_replicas, n, 3]; `replicas`: these are the lanes."""

    def __init__(self, system: System, index, position, velocity, replicas: bool):
        self.system, self.kernels, self.index, self.replicas = system, system.kernels, np.asarray(index), replicas
        self.frozen = np.zeros(len(self.index), bool)
        self.neighbors = NeighborList(system.kernels, system.species, system.potential.cutoff, system.box, replicas)
        self.position, self.velocity = self._pack(position), self._pack(velocity)
        self.force = np.zeros(self.position.size, system.precision)
        self.coordinate = np.empty(self.position.size, np.int32)
        self._unit, self._table = 2.0**32 / system.box, system.table(system.precision)
        self._locate()

    def place(self, position, velocity) -> None:
        """Put the replicas elsewhere: arrays [n_replicas, n, 3]."""
        self.position, self.velocity = self._pack(position), self._pack(velocity)
        self.frozen[:] = False
        self._locate()

    def array(self, name: str) -> np.ndarray:
        """`position`, `velocity` or `force` as float64 [n_replicas, n, 3]."""
        return self._unpack(getattr(self, name).astype(np.float64))

    def steps(self, dt: float) -> np.ndarray:
        """The time step of each lane: zero for a replica that has blown up."""
        return self._to_lanes(np.where(self.frozen, 0.0, dt))

    def drift(self, n_kicks: int, dt: float) -> None:
        """`n_kicks` half steps of the velocities, then one step of the positions."""
        self.kernels.drift(n_kicks, self.position, self.velocity, self.force, self.steps(dt), self._unit, self.coordinate)

    def kick(self, dt: float) -> None:
        """Half a step of the velocities."""
        self.kernels.kick(self.velocity, self.force, self.steps(dt))

    def evaluate(self, dt: float = 0.0) -> None:
        """Forces at the present positions, which a step of length `dt` has led to."""
        self._refresh_list(dt)
        if self.force.dtype == np.float32:
            coordinate, scale = self.coordinate, self.neighbors.scale
        else:
            coordinate, scale = self._fraction(), self.system.box
        self._over_pairs(self.kernels.forces, coordinate, self.force, table=self._table, scale=scale)

    def energies(self) -> np.ndarray:
        """Potential energy and virial [2, n_replicas], in float64 whatever the precision of the forces."""
        self._refresh_list(0.0)
        out = np.zeros((2, self.position.size))
        self._over_pairs(self.kernels.energies, self._fraction(), *out, table=self.system.table("float64"),
                         scale=self.system.box)
        return np.stack([self._unpack(each)[..., 0].cumsum(axis=1)[:, -1] for each in out])

    def kinetic_energy(self) -> np.ndarray:
        """Kinetic energy [n_replicas]."""
        energy = np.empty(self.kernels.LANES)
        self.kernels.kinetic_energy(self.replicas, self.velocity, energy)
        return energy[: len(self.index)]

    def rescale(self, factor) -> None:
        """Multiply the velocities of each replica by its factor [n_replicas]."""
        self.velocity.reshape(-1, self.kernels.LANES)[:] *= self._to_lanes(factor)

    def _locate(self) -> None:
        self.kernels.locate(self.position, self._unit, self.coordinate)

    def _fraction(self) -> np.ndarray:
        fraction = np.empty_like(self.position)
        self.kernels.fractions(self.position, 1.0 / self.system.box, fraction)
        return fraction

    def _refresh_list(self, dt: float) -> None:
        if not self.neighbors.covers(self.coordinate):
            self._freeze_blown_up(dt)
            self.neighbors.refresh(self.coordinate)

    def _freeze_blown_up(self, dt: float) -> None:
        """Stop replicas that have left the physical at their last sound coordinates: the others go on undisturbed."""
        speed = np.abs(self._unpack(self.velocity)).max(axis=(1, 2))
        longest = LONGEST_STEP * self.system.potential.largest_cutoff
        blown_up = ~(speed * dt <= longest) & ~self.frozen
        if not blown_up.any():
            return
        position, velocity, last = self.array("position"), self.array("velocity"), self.neighbors.built_at
        last = self._unpack(last) * (self.system.box * 2.0**-32)
        position[blown_up], velocity[blown_up] = last[blown_up], 0.0
        self.position, self.velocity = self._pack(position), self._pack(velocity)
        self.frozen |= blown_up
        self._locate()

    def _over_pairs(self, kernel, coordinate, *out, table, scale) -> None:
        near = self.neighbors
        kernel(self.replicas, coordinate, *out, near.rows, near.slots, near.kinds, near.start, near.entry,
               self.system.species, table, scale)

    def _to_lanes(self, value) -> np.ndarray:
        """One value per replica, spread over the lanes."""
        lanes = np.asarray(value, np.float64)[np.minimum(np.arange(self.kernels.LANES), len(self.index) - 1)]
        return np.ascontiguousarray(lanes)

    def _pack(self, array) -> np.ndarray:
        """[n_replicas, n, 3] as flat blocks; spare lanes repeat the last replica, spare particles are zero."""
        array, lanes = np.asarray(array, np.float64), self.kernels.LANES
        if self.replicas:
            array = array[np.minimum(np.arange(lanes), len(array) - 1)]
            return np.ascontiguousarray(array.transpose(1, 2, 0)).ravel()
        padded = np.pad(array[0], ((0, -array.shape[1] % lanes), (0, 0)))
        return np.ascontiguousarray(padded.reshape(-1, lanes, 3).transpose(0, 2, 1)).ravel()

    def _unpack(self, flat) -> np.ndarray:
        blocks = flat.reshape(-1, 3, self.kernels.LANES)
        if self.replicas:
            return np.ascontiguousarray(blocks.transpose(2, 0, 1)[: len(self.index)])
        return np.ascontiguousarray(blocks.transpose(0, 2, 1)).reshape(1, -1, 3)[:, : len(self.system.species)]
