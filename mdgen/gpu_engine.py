"""Replicas on a GPU: their state stays there, and the host sends no more than the number of steps.

Lists are made on the device, for each replica when its particles have moved too far. If a list exceeds its capacity,
kernels stop, and the host repeats the steps from their start with a larger one: lists leave no trace in results.
Units: lengths and times of the potential; mass 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from mdgen.cells import cells
from mdgen.ensemble import Ensemble
from mdgen.gpu_thermostat import GpuThermostat
from mdgen.kernels import fire, gpu
from mdgen.kernels.gpu.text import table
from mdgen.list_capacity import ListCapacity, first_capacity, list_bytes, replica_bytes
from mdgen.neighbors import ROUNDING
from mdgen.snapshot import Seen
from mdgen.staging import StagingBuffers
from mdgen.tuning import Tuning
from runkit.arrays import F64, I32, Array, Bools
from runkit.device import DeviceArray, Gpu, need

FIRST, PORTION = 8, 128  # steps that are launched at a time: few at first, so that a GPU has work soon
GLIMPSE = 32  # iterations of FIRE between checks by the host
ADVICE = "lower replicas_per_gpu"


class GpuEngine:
    """All replicas of an ensemble on `device`, at `position` with `velocity` [R, n, 3] in the order of summation."""

    def __init__(self, device: Gpu, ensemble: Ensemble, position: F64, velocity: F64, tuning: Tuning) -> None:
        self._device, self._ensemble, self._tuning = device, ensemble, tuning
        law = ensemble.potential, ensemble.precision, ensemble.thermostat
        self.kernels = gpu.Kernels(device, ensemble.shape, *law, tuning.one_block, tuning.threads)
        n_replicas, n_particles = ensemble.shape
        self._capacity = first_capacity(n_particles, ensemble.box.prod(axis=1).min(), ensemble.potential, tuning)
        need(device, n_replicas * replica_bytes(n_particles, ensemble.precision, self._capacity), ADVICE)
        self._law64 = device.xp.asarray(table(ensemble.potential, "float64"))
        self._arrays = self._allocate()
        self._thermostat = GpuThermostat(device, ensemble.thermostat)
        self._staging: StagingBuffers | None = None
        # Steps under way, and what they started from.
        self._asked: tuple[int, float, tuple[DeviceArray, DeviceArray]] | None = None
        self._arrays.status[:, gpu.FLAGS] = gpu.PRUNE | gpu.BUILD
        self.place(position, velocity)

    @property
    def frozen(self) -> Bools:
        """Which replicas have blown up [R]."""
        return _frozen(self._status())

    @property
    def statistics(self) -> dict[str, int]:
        """How many lists were made, and the entries of the present ones."""
        names = {"n_builds": gpu.N_BUILDS, "n_prunes": gpu.N_PRUNES, "dangerous_builds": gpu.N_LATE}
        status = self._status()
        entries = self._device.to_host(self._arrays.count)[:, 0].sum()
        return {name: int(status[:, k].sum()) for name, k in names.items()} | {"entries": int(entries)}

    def place(self, position: F64, velocity: F64) -> None:
        """Put the replicas at these positions and velocities [R, n, 3]."""
        both = np.stack([position, velocity], axis=1).transpose(0, 1, 3, 2)
        self._arrays.motion[...] = self._device.xp.asarray(np.ascontiguousarray(both))
        self._arrays.status[:, gpu.FLAGS] &= gpu.PRUNE | gpu.BUILD  # lists are made anew where these have moved far

    def evaluate(self) -> None:
        """Forces at the present positions."""
        self.kernels.move(self._arrays, self._capacity, 0.0, self._ensemble.longest_step)
        while self._extend_lists():
            self.kernels.move(self._arrays, self._capacity, 0.0, self._ensemble.longest_step)

    def begin(self, n_steps: int, dt: float) -> None:
        """Launch `n_steps` steps from where forces are known; the host does not wait."""
        self._thermostat.begin(n_steps)
        start = self._arrays.motion.copy(), self._arrays.status[:, gpu.FLAGS].copy()
        self._advance(n_steps, dt)
        self._asked = n_steps, dt, start

    def finish(self) -> None:
        """Wait for the steps; repeat them with a larger capacity if a list exceeded its own."""
        assert self._asked is not None  # `begin` came before
        n_steps, dt, (motion, flags) = self._asked
        while self._extend_lists():
            self._arrays.motion[...] = motion
            self._arrays.status[:, gpu.FLAGS] = flags | gpu.PRUNE | gpu.BUILD
            self.evaluate()
            self._thermostat.rewind()
            self._advance(n_steps, dt)
        self._thermostat.finish()
        self._asked = None

    def minimize(self, tolerance: float, most: int) -> fire.Convergence:
        """Minimise the energy until no force component exceeds `tolerance`, in at most `most` iterations of FIRE.

        All replicas at once, each for itself; the host checks now and then whether all have come to rest.
        """
        start = np.repeat([[each] for each in (*fire.START, np.nan)], self._ensemble.shape[0], axis=1)
        state = self._device.xp.asarray(start)
        self._arrays.motion[:, 1] = 0
        self.evaluate()
        descend = self._descent(tolerance, most, state)
        while not (self._status()[:, gpu.FLAGS] & gpu.SETTLED).all():
            descend()
            if self._extend_lists():  # those whose list was full stand where forces are not known
                self.evaluate()
                descend = self._descent(tolerance, most, state)
        self._arrays.motion[:, 1] = 0
        self._arrays.status[:, gpu.FLAGS] = 0
        done = self._device.to_host(state)
        return fire.Convergence(done[-1], done[fire.N_ITERATIONS].astype(int))

    def _descent(self, tolerance: float, most: int, state: DeviceArray) -> Callable[[], None]:
        """Some iterations."""

        def descend() -> None:
            for _ in range(GLIMPSE):
                self.kernels.descend(self._arrays, self._capacity, tolerance, most, state)
                self.kernels.move(self._arrays, self._capacity, 0.0, self._ensemble.longest_step)

        return self._device.graph(descend)

    def snapshot(self) -> Callable[[], Seen]:
        """Start to send the present state; the returned function waits for it, and is valid until the next snapshot."""
        arrays = (self._arrays.motion[:, 0], self._energies(), self._kinetic_energy(), self._arrays.status)
        self._staging = self._staging or StagingBuffers(self._device, arrays)
        receive = self._staging.send(arrays)

        def arrive() -> Seen:
            position, energies, kinetic_energy, status = receive()
            return Seen(position.transpose(0, 2, 1), energies, kinetic_energy, _frozen(status))

        return arrive

    def array(self, name: str) -> F64:
        """`position`, `velocity` or `force`, float64 [R, n, 3]."""
        if name == "force":
            chosen = self._arrays.force
        else:
            chosen = self._device.xp.ascontiguousarray(self._arrays.motion[:, ("position", "velocity").index(name)])
        found: F64 = self._device.to_host(chosen).astype(np.float64).transpose(0, 2, 1)
        return found

    def neighbors(self, replica: int) -> tuple[I32, Array]:
        """The inner list of a replica: entries of each particle int [n], and these, the first ones of [n, capacity]."""
        n_particles, capacity = self._ensemble.shape[1], self._capacity.inner
        length, entries = (self._device.to_host(array[replica]) for array in (self._arrays.count, self._arrays.entries))
        quads = entries.reshape(-1)[: capacity * n_particles].reshape(capacity // 4, n_particles, 4)
        return length[0], quads.transpose(1, 0, 2).reshape(n_particles, capacity)

    def _energies(self) -> DeviceArray:
        """Potential energy and virial [R, 2], in double precision whatever that of the forces; on the device."""
        n_replicas, n_particles = self._ensemble.shape
        of_particle = self._device.xp.empty((n_replicas, 2, n_particles))
        energy = self._device.xp.empty((n_replicas, 2))
        self.kernels.energies(self._arrays, self._capacity, self._law64, of_particle)
        self.kernels.total(self._arrays, self._capacity, of_particle, energy)
        return energy

    def _kinetic_energy(self) -> DeviceArray:
        """Kinetic energy [R], on the device."""
        energy = self._device.xp.empty(self._ensemble.shape[0])
        self.kernels.kinetic_energy(self._arrays, self._capacity, energy)
        return energy

    def _advance(self, n_steps: int, dt: float) -> None:
        """Launch the steps: all launches have the same arguments, so that they can be recorded as a graph."""
        self._arrays.status[:, gpu.N_COUPLED] = 0
        advance = self._in_one_block(dt) if self.kernels.one_block else self._in_many_blocks(dt)
        for portion in _portions(n_steps):
            self._thermostat.send(portion)
            advance(portion)

    def _in_one_block(self, dt: float) -> Callable[[int], None]:
        """A block for each replica, all steps in one launch."""
        given = dt, self._ensemble.longest_step, self._thermostat.given
        return lambda n_steps: self.kernels.integrate(self._arrays, self._capacity, n_steps, *given)

    def _in_many_blocks(self, dt: float) -> Callable[[int], None]:
        """Many blocks for each replica. Steps between the first and the last one are launched as a graph."""
        coupled = self._ensemble.thermostat is not None
        given = self._arrays, self._capacity
        law = dt, self._ensemble.longest_step

        def step(first: bool, last: bool) -> None:
            """Without a thermostat no velocities are needed between two half kicks: they are done at once."""
            if coupled:
                self.kernels.couple(*given, False, self._thermostat.given)
            self.kernels.move(*given, *law, 1 if first or coupled else 2, last or coupled)
            if coupled:
                self.kernels.couple(*given, True, self._thermostat.given)

        between = cache(lambda: self._device.graph(lambda: step(False, False)))

        def advance(n_steps: int) -> None:
            step(True, n_steps == 1)
            for _ in range(n_steps - 2):
                between()()
            if n_steps > 1:
                step(False, True)

        return advance

    def _status(self) -> I32:
        status: I32 = self._device.to_host(self._arrays.status)
        return status

    def _extend_lists(self) -> bool:
        """Whether lists exceeded their capacity; it is larger now, and all lists are to be built anew."""
        if not (self._status()[:, gpu.FLAGS] & gpu.FULL).any():
            return False
        n_replicas, n_particles = self._ensemble.shape
        self._capacity = ListCapacity.of(1.5 * self._capacity.inner, 1.5 * self._capacity.outer, n_particles)
        self._arrays = self._arrays._replace(entries=None)
        need(self._device, n_replicas * list_bytes(n_particles, self._capacity), ADVICE)
        self._arrays = self._arrays._replace(entries=self._lists())
        flags = self._arrays.status[:, gpu.FLAGS]
        self._arrays.status[:, gpu.FLAGS] = flags & gpu.FROZEN | gpu.PRUNE | gpu.BUILD
        return True

    def _lists(self) -> DeviceArray:
        n_replicas, n_particles = self._ensemble.shape
        return self._device.xp.empty((n_replicas, sum(self._capacity), n_particles), gpu.entry_type(n_particles))

    def _allocate(self) -> gpu.Arrays:
        ensemble, xp = self._ensemble, self._device.xp
        n_replicas, n_particles = ensemble.shape
        coord, real = gpu.COORD[ensemble.precision], ensemble.precision
        place = np.zeros((n_replicas, 3, n_particles, 4), coord)
        place[..., 3] = ensemble.species[:, None]
        sorted_by = np.zeros((n_replicas, gpu.cells_length(n_particles)), np.int32)
        sorted_by[:, :3] = cells(ensemble.box, n_particles, ensemble.potential.largest_cutoff + self._tuning.outer_skin)
        return gpu.Arrays(
            edge=xp.asarray(np.hstack([2.0**32 / ensemble.box, ensemble.box])),
            law=xp.asarray(table(ensemble.potential, real)),
            reach=xp.asarray(_reach(ensemble.potential.cutoff, self._tuning).astype(real)),
            motion=xp.empty((n_replicas, 2, 3, n_particles)),
            force=xp.zeros((n_replicas, 3, n_particles), real),
            place=xp.asarray(place),
            cells=xp.asarray(sorted_by),
            count=xp.zeros((n_replicas, 2, n_particles), np.int32),
            entries=self._lists(),
            status=xp.zeros((n_replicas, gpu.N_STATUS), np.int32),
        )


def _frozen(status: I32) -> Bools:
    frozen: Bools = (status[:, gpu.FLAGS] & gpu.FROZEN) != 0
    return frozen


def _portions(n_steps: int) -> Iterator[int]:
    """Numbers of steps, which double up to `PORTION`."""
    portion = FIRST
    while n_steps > 0:
        yield min(portion, n_steps)
        n_steps -= portion
        portion = min(2 * portion, PORTION)


def _reach(cutoff: F64, tuning: Tuning) -> F64:
    """What `replica.cu` calls reach: squares of reaches, the longest reach, squares of largest displacements."""
    inner, outer = (((cutoff + skin) ** 2).ravel() for skin in (tuning.inner_skin, tuning.outer_skin))
    worn = [((skin - ROUNDING) / 2) ** 2 for skin in (tuning.inner_skin, tuning.outer_skin - tuning.inner_skin)]
    return np.concatenate([inner, outer, [cutoff.max() + tuning.outer_skin], worn])
