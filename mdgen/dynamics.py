"""Replicas of one system, advanced together.

The trajectory of a replica is the same bit by bit whichever others it is advanced with, and a function of position,
velocity and thermostat alone: sums run in one fixed order of the particles, and lists leave no trace in them. So which
replicas share the lanes of a vector is a matter of speed, and is changed as they spread.
Units: those of the potential; mass 1, k_B = 1.
"""

from __future__ import annotations

import numpy as np

from mdgen.bundle import Bundle, System
from mdgen.integrators import advance, advance_coupled
from mdgen.potentials.pair import PairPotential
from runkit.errors import UserError

REGROUP = 2000  # steps after which it is asked whether replicas should still share a list
ALONE = 1.2  # time for an entry of the list of one replica, over that of an entry shared by many


class Dynamics:
    """R replicas of n particles under velocity Verlet.

    `position` and `velocity` are float64 [R, n, 3], unwrapped; `species` int [n]; `box` three edges, each at least
    twice the longest cutoff. `precision` ("float32" or "float64") is that of the pair forces; positions, velocities
    and energies are float64 always. `thermostat`: see `mdgen.thermostats`. `order` int [n] is the order in which forces
    are summed (default: as given). One that follows space, as `neighbors.spatial_order` of the initial configuration,
    is faster; trajectories are comparable bit by bit only if they share it.
    """

    def __init__(
        self,
        position,
        velocity,
        species,
        box,
        potential: PairPotential,
        dt: float,
        precision: str = "float32",
        thermostat=None,
        order=None,
    ):
        position, velocity = _replicas(position, velocity)
        n_particles = position.shape[1]
        self.order = np.arange(n_particles) if order is None else np.asarray(order)
        self.dt, self.thermostat = dt, thermostat
        species = np.ascontiguousarray(_species(species, n_particles, potential)[self.order])
        self.system = System(species, _box(box, potential), potential, _precision(precision), _kernels())
        self._back = np.argsort(self.order)
        lanes = self.system.kernels.LANES
        groups = [np.arange(len(position))[first : first + lanes] for first in range(0, len(position), lanes)]
        self._bundles = [self._bundle(group, position, velocity, len(group) > 1) for group in groups]
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
        return self._collect(lambda bundle: bundle.array("position"))[:, self._back]

    @property
    def velocity(self) -> np.ndarray:
        """Velocities [R, n, 3]; not a number for replicas that have blown up."""
        return self._collect(lambda bundle: bundle.array("velocity"))[:, self._back]

    @property
    def force(self) -> np.ndarray:
        """Forces [R, n, 3]; not a number for replicas that have blown up."""
        self._evaluate()
        return self._collect(lambda bundle: bundle.array("force"))[:, self._back]

    @property
    def potential_energy(self) -> np.ndarray:
        """Potential energy [R]."""
        return self._energies()[:, 0]

    @property
    def virial(self) -> np.ndarray:
        """Sum over pairs of r.F [R]."""
        return self._energies()[:, 1]

    @property
    def kinetic_energy(self) -> np.ndarray:
        """Kinetic energy [R]."""
        return self._collect(Bundle.kinetic_energy)

    @property
    def statistics(self) -> dict[str, float]:
        """`n_builds` of outer lists and `n_prunes` of inner lists, `dangerous_builds` (lists that came too late, 0),
        and `entries_per_particle` of the present lists, on average over replicas."""
        count = {name: int(self.system.count[name]) for name in ("n_builds", "n_prunes", "dangerous_builds")}
        entries = sum(bundle.neighbors.length for bundle in self._bundles)
        return count | {"entries_per_particle": entries / (self.n_replicas * self.n_particles)}

    def step(self, n_steps: int, dt: float | None = None) -> None:
        """Advance by `n_steps` steps, of length `dt` from now on if given."""
        self.dt = self.dt if dt is None else dt
        self._evaluate()
        for first in range(0, n_steps, REGROUP):
            chunk = min(REGROUP, n_steps - first)
            if self.thermostat is None:
                for bundle in self._bundles:
                    advance(bundle, chunk, self.dt)
            else:
                advance_coupled(self._bundles, chunk, self.dt, self.thermostat)
            if chunk == REGROUP:
                self.rebuild()
        self._known_energies = None

    def restore(self, position, velocity) -> None:
        """Go on from these positions and velocities [R, n, 3]."""
        position, velocity = _replicas(position, velocity)
        for bundle in self._bundles:
            bundle.place(position[bundle.index][:, self.order], velocity[bundle.index][:, self.order])
        self._forget()

    def rebuild(self) -> None:
        """Group the replicas anew for speed. This does not change a bit of any trajectory."""
        self._bundles = [part for bundle in self._bundles for part in self._split(bundle)]

    def blown_up(self) -> np.ndarray:
        """Replicas that have moved unphysically far in one step or are no longer finite: ascending indices."""
        finite = np.isfinite(self.position).all(axis=(1, 2)) & np.isfinite(self.velocity).all(axis=(1, 2))
        return np.flatnonzero(~finite)

    def _bundle(self, index, position, velocity, replicas: bool) -> Bundle:
        position, velocity = position[index][:, self.order], velocity[index][:, self.order]
        return Bundle(self.system, index, position, velocity, replicas)

    def _split(self, bundle: Bundle) -> list[Bundle]:
        """The bundle, or its replicas one by one if they have spread so far that a list for all is too long."""
        if not bundle.replicas or bundle.frozen.any():
            return [bundle]
        position, velocity = bundle.array("position"), bundle.array("velocity")
        one = slice(0, 1)
        alone = Bundle(self.system, bundle.index[one], position[one], velocity[one], replicas=False)
        alone.evaluate()
        if bundle.neighbors.length < ALONE * len(bundle.index) * alone.neighbors.length:
            return [bundle]
        rest = [slice(k, k + 1) for k in range(1, len(bundle.index))]
        parts = [Bundle(self.system, bundle.index[k], position[k], velocity[k], replicas=False) for k in rest]
        for part in parts:
            part.evaluate()
        return [alone, *parts]

    def _evaluate(self) -> None:
        if not self._evaluated:
            for bundle in self._bundles:
                bundle.evaluate()
        self._evaluated = True

    def _energies(self) -> np.ndarray:
        if self._known_energies is None:
            self._known_energies = self._collect(Bundle.energies)
        return self._known_energies

    def _forget(self) -> None:
        self._evaluated, self._known_energies = False, None

    def _collect(self, of) -> np.ndarray:
        """What `of` gives for the replicas of each bundle, in the order of all replicas."""
        values = np.concatenate([of(bundle) for bundle in self._bundles])
        values[np.concatenate([bundle.frozen for bundle in self._bundles])] = np.nan
        return values[np.argsort(np.concatenate([bundle.index for bundle in self._bundles]))]


def warm_up(precision: str) -> None:
    """Compile all kernels, or load them if that was done before.

    Several processes of a machine must not compile at once: let one of them do this before the others go on.
    """
    at_rest = np.zeros((2, 2, 3))
    apart = at_rest + np.array([[0.0], [1.2]])
    law = PairPotential.lennard_jones(*np.ones((2, 1, 1)), np.full((1, 1), 2.5))
    dynamics = Dynamics(apart, at_rest, [0, 0], [6.0] * 3, law, 0.001, precision)
    dynamics.step(1)
    for quantity in ("potential_energy", "kinetic_energy"):
        getattr(dynamics, quantity)


def _kernels():
    from mdgen.kernels import cpu  # Numba takes a second to import: only where something moves

    return cpu


def _replicas(position, velocity) -> tuple[np.ndarray, np.ndarray]:
    position, velocity = np.asarray(position, np.float64), np.asarray(velocity, np.float64)
    if position.ndim != 3 or position.shape[2] != 3 or position.shape != velocity.shape:
        raise UserError(
            f"position {position.shape} and velocity {velocity.shape}: both must be [replicas, particles, 3]"
        )
    for name, array in (("position", position), ("velocity", velocity)):
        lost = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2)))
        if len(lost):
            raise UserError(f"{name} of replica {lost[0]}: not finite")
    return position, velocity


def _species(species, n_particles: int, potential: PairPotential) -> np.ndarray:
    species = np.asarray(species, np.int32)
    if species.shape != (n_particles,):
        raise UserError(f"species {species.shape}: one for each of {n_particles} particles is needed")
    if np.any((species < 0) | (species >= potential.n_species)):
        raise UserError(f"species {species.min()} to {species.max()}: must be 0 to {potential.n_species - 1}")
    return species


def _precision(name: str) -> str:
    if name not in ("float32", "float64"):
        raise UserError(f"precision = {name!r}: 'float32' or 'float64' is needed")
    return name


def _box(box, potential: PairPotential) -> np.ndarray:
    box = np.array(box, np.float64)
    least = 2 * potential.largest_cutoff
    if box.shape != (3,) or not np.all(np.isfinite(box)) or np.any(box < least):
        raise UserError(f"box = {box.tolist()}: needs three edges of at least {least:g} (twice the longest cutoff)")
    return box
