"""Molecular dynamics on a GPU: kernels in CUDA C, compiled for replicas of one size and launched on its arrays."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from mdgen.kernels import fire, prerounding
from mdgen.kernels.gpu.text import source, table
from mdgen.potentials.pair import PairPotential
from mdgen.thermostats import Thermostat
from runkit.arrays import rounded_up
from runkit.device import DeviceArray, Gpu

BLOCK, ARRANGING = 128, 1024  # threads of a block where many share a replica; where one sorts it
CHUNK, CELLS = 32, 8  # particles of a chunk, and cells for each particle that there is memory for, as in replica.cu
MOST_THREADS = {"float32": 1024, "float64": 512}  # of a block that has a replica to itself, as in replica.cu
COORD = {"float32": np.int32, "float64": np.float64}
STATIC_SHARED = 8448  # bytes that a block needs beside the places
NARROW = 2**16  # particles whose numbers fit 16 bits
FEW = 2  # species whose law fits the registers of a thread
FROZEN, PRUNE, BUILD, FULL, SETTLED = 1, 2, 4, 8, 16  # flags of a replica
FLAGS, N_BUILDS, N_PRUNES, N_LATE, N_COUPLED, N_STATUS = range(6)  # columns of `status`

Capacity: TypeAlias = tuple[int, int]  # entries that the inner and the outer list of a particle may have
Coupling: TypeAlias = tuple[DeviceArray, DeviceArray, DeviceArray]  # values, random numbers and constants


class Arrays(NamedTuple):
    """State of R replicas on the device, as `replica.cu` describes it."""

    edge: DeviceArray
    law: DeviceArray
    reach: DeviceArray
    motion: DeviceArray
    force: DeviceArray
    place: DeviceArray
    cells: DeviceArray
    count: DeviceArray
    entries: DeviceArray
    status: DeviceArray


def cells_length(n_particles: int) -> int:
    """Numbers that a replica needs for its cells, as `replica.cu` lays them out."""
    return 5 + (CELLS + 1) * n_particles


def entry_type(n_particles: int) -> type:
    """What holds the number of a particle in a list."""
    return np.uint16 if n_particles <= NARROW else np.uint32


class Kernels:
    """The kernels for replicas of `shape` [R, n] of a `PairPotential`, in the precision of the pair forces.

    With `one_block` a block of `threads` (a multiple of 32, up to `MOST_THREADS`) has a replica to itself, else many
    blocks share each; None: as it suits the device. No result depends on them. Raises ValueError for choices that the
    device does not allow.
    """

    def __init__(
        self,
        device: Gpu,
        shape: tuple[int, int],
        potential: PairPotential,
        precision: str,
        thermostat: Thermostat | None,
        one_block: bool | None = None,
        threads: int | None = None,
    ) -> None:
        self._shape, self._n_species, self._thermostat = shape, potential.n_species, thermostat
        self._most_shared = device.shared_bytes - STATIC_SHARED
        self.shared = 4 * shape[1] * np.dtype(COORD[precision]).itemsize + table(potential, precision).nbytes
        # A block per replica: if it fits, and if blocks are enough for the device or could not share the work anyway.
        fits = self.shared <= self._most_shared
        fills = 2 * shape[0] >= device.n_multiprocessors or shape[1] <= MOST_THREADS["float32"]
        self.one_block = fits and fills if one_block is None else one_block
        self.threads = min(MOST_THREADS[precision], rounded_up(shape[1], CHUNK)) if threads is None else threads
        if self.one_block and not fits:
            raise ValueError(f"{shape[1]} particles: their places do not fit the shared memory of a block")
        if self.threads % CHUNK or not CHUNK <= self.threads <= MOST_THREADS[precision]:
            raise ValueError(f"threads = {threads}: a multiple of {CHUNK} up to {MOST_THREADS[precision]} is needed")
        text, options = source(potential, precision, thermostat), _options(shape[1], self._n_species)
        self._module = _module(device, text, options)
        self._functions: dict[str, Any] = {}

    def integrate(
        self, arrays: Arrays, capacity: Capacity, n_steps: int, dt: float, longest: float, coupling: Coupling
    ) -> None:
        """`n_steps` steps in one launch; `coupling` are values, random numbers and constants of the thermostat."""
        given = np.int32(n_steps), np.float64(dt), np.float64(longest), *coupling, self._prerounding
        self._launch("integrate", (1,), (self.threads,), arrays, capacity, *given, shared=self.shared)

    def move(
        self, arrays: Arrays, capacity: Capacity, dt: float, longest: float, n_kicks: int = 1, kicks: bool = True
    ) -> None:
        """One step, or forces at the present places if `dt` is zero: halves of a kick before (2 if one is left from
        the step before) and, if `kicks`, one after it."""
        n = self._shape[1]
        blocks, drift = (rounded_up(n, BLOCK) // BLOCK,), (np.float64(dt), np.float64(longest), np.int32(n_kicks))
        self._launch("drift", blocks, (BLOCK,), arrays, capacity, *drift)
        self._launch("arrange", (1,), (ARRANGING,), arrays, capacity)
        self._launch("refresh", blocks, (BLOCK,), arrays, capacity)
        self._launch("push", blocks, (BLOCK,), arrays, capacity, np.float64(dt), np.int32(kicks))

    def couple(self, arrays: Arrays, capacity: Capacity, after: bool, coupling: Coupling) -> None:
        """Rescale velocities by the factor of the thermostat; the next coupling takes the next random numbers."""
        if after or (self._thermostat is not None and self._thermostat.before):
            given = np.int32(after), *coupling, self._prerounding
            self._launch("couple", (1,), (self.threads,), arrays, capacity, *given)

    def descend(self, arrays: Arrays, capacity: Capacity, tolerance: float, most: int, state: DeviceArray) -> None:
        """An iteration of FIRE from the forces at the present positions; `state` [5, R] as `fire.cu` has it."""
        given = (np.float64(each) for each in (tolerance, most, fire.LONGEST_STEP))
        self._launch("descend", (1,), (fire.COLUMNS,), arrays, capacity, *given, state)

    def kinetic_energy(self, arrays: Arrays, capacity: Capacity, energy: DeviceArray) -> None:
        """Write the kinetic energies [R]."""
        self._launch("kinetic_energy", (1,), (self.threads,), arrays, capacity, self._prerounding, energy)

    def energies(self, arrays: Arrays, capacity: Capacity, law: DeviceArray, energy: DeviceArray) -> None:
        """Write energy and virial of each particle's pairs with higher ones [R, 2, n]; `law` in double precision."""
        self._launch("energies", (rounded_up(self._shape[1], BLOCK) // BLOCK,), (BLOCK,), arrays, capacity, law, energy)

    def total(self, arrays: Arrays, capacity: Capacity, value: DeviceArray, total: DeviceArray) -> None:
        """Write the sums [R, 2] of `value` [R, 2, n], in the order of the particles."""
        self._launch("total", (1,), (CHUNK,), arrays, capacity, value, total)

    @property
    def _prerounding(self) -> np.float64:
        return np.float64(prerounding(self._shape[1]))

    def _launch(
        self,
        name: str,
        blocks: tuple[int, ...],
        threads: tuple[int, ...],
        arrays: Arrays,
        capacity: Capacity,
        *more: Any,
        shared: int = 0,
    ) -> None:
        if name not in self._functions:
            self._functions[name] = self._module.get_function(name)
            if shared:  # the same for all shapes: they share the function, and with it this attribute
                self._functions[name].max_dynamic_shared_size_bytes = self._most_shared
        sizes = (np.int32(each) for each in (self._shape[1], self._n_species, *capacity))
        self._functions[name]((*blocks, self._shape[0]), threads, (*sizes, *arrays, *more), shared_mem=shared)


def _options(n_particles: int, n_species: int) -> tuple[str, ...]:
    """Options of the compiler: sizes and choices that kernels have as constants."""
    chosen = {"-DWIDE": n_particles > NARROW, "-DFEW": n_species <= FEW}
    return tuple(option for option, holds in chosen.items() if holds)


@cache
def _module(device: Gpu, text: str, options: tuple[str, ...]) -> Any:
    return device.compile(text, options)
