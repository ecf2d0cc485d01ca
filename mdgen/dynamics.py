"""Replicas of one system, advanced together.

The trajectory of a replica is the same bit by bit whichever others it is advanced with, and a function of position,
velocity and thermostat alone: sums run in one fixed order of the particles, and lists leave no trace in them.
Units: those of the potential; mass 1, k_B = 1.
"""

from __future__ import annotations

import numpy as np

from mdgen.bundle import Bundle, System
from mdgen.integrators import advance, advance_coupled
from mdgen.potentials.pair import PairPotential
from runkit.errors import UserError


class Dynamics:
    """R replicas of n particles under velocity Verlet.

    `position` and `velocity` are float64 [R, n, 3], unwrapped; `species` int [n]; `box` three edges, each at least twice
    the longest cutoff. `precision` ("float32" or "float64") is that of the pair forces; positions, velocities and
    energies are float64 always. `thermostat`: see `mdgen.thermostats`. `order` int [n] is the order in which forces
    are summed (default: as given); one that follows space, as `neighbors.spatial_order` of the initial configuration,
    is faster for large systems. Only replicas with equal `order` can be compared bit by bit.
    """

    def __init__(self, position, velocity, species, box, potential: PairPotential, dt: float, precision: str = "float32",
                 thermostat=None, order=None):
        position = np.asarray(position, np.float64)
        n = position.shape[1]
        self.order = np.arange(n) if order is None else np.asarray(order)
        self.thermostat = thermostat
        self.dt = dt
        species = np.asarray(species, np.int32)[self.order]
        self.system = System(species, _box(box, potential), potential, _precision(precision), _kernels())
        self._inverse = np.argsort(self.order)
        self._bundles = self._bundle(position, np.asarray(velocity, np.float64))
        self._forget()

    @property
    def n_replicas(self) -> int:
        return sum(len(bundle.index) for bundle in self._bundles)

    @property
    def n_particles(self) -> int:
        return len(self.order)

    @property
    def position(self) -> np.ndarray:
        """Unwrapped positions [R, n, 3]; not a number for replicas that have blown up."""
        return self._collect("position")

    @property
    def velocity(self) -> np.ndarray:
        """Velocities [R, n, 3]; not a number for replicas that have blown up."""
        return self._collect("velocity")

    @property
    def force(self) -> np.ndarray:
        """Forces [R, n, 3]."""
        self._evaluate()
        return self._collect("force")

    @property
    def potential_energy(self) -> np.ndarray:
        """Potential energy [R], in float64."""
        return self._energies()[0]

    @property
    def virial(self) -> np.ndarray:
        """Sum over pairs of r.F [R], in float64."""
        return self._energies()[1]

    @property
    def kinetic_energy(self) -> np.ndarray:
        """Kinetic energy [R]."""
        energy = np.concatenate([bundle.kinetic_energy() for bundle in self._bundles])
        return np.where(self._frozen(), np.nan, energy)

    @property
    def statistics(self) -> dict[str, float]:
        """Counts over all bundles: outer lists built, inner lists pruned, evaluations with a list that did not cover them."""
        lists = [bundle.neighbors for bundle in self._bundles]
        names = ("n_builds", "n_prunes", "dangerous_builds")
        return {name: sum(getattr(one, name) for one in lists) for name in names}

    def step(self, n_steps: int, dt: float | None = None) -> None:
        """Advance by `n_steps` steps, of length `dt` from now on if given."""
        self.dt = self.dt if dt is None else dt
        self._evaluate()
        if self.thermostat is None:
            for bundle in self._bundles:
                advance(bundle, n_steps, self.dt)
        else:
            advance_coupled(self._bundles, n_steps, self.dt, self.thermostat)
        self._known_energies = None

    def restore(self, position, velocity) -> None:
        """Go on from these positions and velocities [R, n, 3]."""
        position, velocity = (np.asarray(array, np.float64)[:, self.order] for array in (position, velocity))
        for bundle in self._bundles:
            bundle.place(position[bundle.index], velocity[bundle.index])
        self._forget()

    def rebuild(self) -> None:
        """Make lists anew. The trajectory does not change: it never depends on them."""
        for bundle in self._bundles:
            bundle.neighbors.forget()

    def blown_up(self) -> np.ndarray:
        """Replicas that have moved unphysically far in a step or are no longer finite: ascending indices."""
        finite = np.isfinite(self.position).all(axis=(1, 2)) & np.isfinite(self.velocity).all(axis=(1, 2))
        return np.flatnonzero(~finite)

    def _bundle(self, position, velocity) -> list[Bundle]:
        lanes = self.system.kernels.LANES
        groups = [np.arange(first, min(first + lanes, len(position))) for first in range(0, len(position), lanes)]
        position, velocity = position[:, self.order], velocity[:, self.order]
        return [Bundle(self.system, group, position[group], velocity[group], len(group) > 1) for group in groups]

    def _evaluate(self) -> None:
        if not self._evaluated:
            for bundle in self._bundles:
                bundle.evaluate()
        self._evaluated = True

    def _energies(self) -> np.ndarray:
        if self._known_energies is None:
            energies = np.concatenate([bundle.energies() for bundle in self._bundles], axis=1)
            self._known_energies = np.where(self._frozen(), np.nan, energies)
        return self._known_energies

    def _forget(self) -> None:
        self._evaluated, self._known_energies = False, None

    def _frozen(self) -> np.ndarray:
        return np.concatenate([bundle.frozen for bundle in self._bundles])

    def _collect(self, name: str) -> np.ndarray:
        array = np.concatenate([bundle.array(name) for bundle in self._bundles])[:, self._inverse]
        array[self._frozen()] = np.nan
        return array


def _kernels():
    from mdgen.kernels import cpu  # Numba takes a second to import: only where something moves

    return cpu


def _precision(name: str) -> str:
    if name not in ("float32", "float64"):
        raise UserError(f"precision = {name!r}: 'float32' or 'float64' is needed")
    return name


def _box(box, potential: PairPotential) -> np.ndarray:
    box = np.array(box, np.float64)
    least = 2 * potential.largest_cutoff
    if box.shape != (3,) or not np.all(np.isfinite(box)) or np.any(box < least):
        raise UserError(f"box = {box.tolist()}: three edges of at least {least:g}, twice the longest cutoff, are needed")
    return box
