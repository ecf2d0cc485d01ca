"""Replicas of one system or of many, advanced together on the CPU or on a GPU.

The trajectory of a replica is the same bit by bit whichever others it is advanced with and whatever computes it, and a
function of position, velocity and thermostat alone: sums run in one fixed order of the particles, and lists leave no
trace in them.
Units: those of the potential; mass 1, k_B = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mdgen.cpu_engine import CpuEngine
from mdgen.engine import Engine
from mdgen.ensemble import Ensemble, replicas
from mdgen.gpu_engine import GpuEngine
from mdgen.kernels.fire import Convergence
from mdgen.potentials.pair import PairPotential
from mdgen.snapshot import Snapshot
from mdgen.thermostats import Thermostat
from mdgen.tuning import DEFAULT, Tuning
from runkit.arrays import F64, I64
from runkit.device import Gpu


class Dynamics:
    """R replicas of n particles under velocity Verlet.

    `position` and `velocity` are float64 [R, n, 3], unwrapped; `species` int [n]; `box` three edges, each at least
    twice the longest cutoff. `precision` ("float32" or "float64") is that of the pair forces; positions, velocities
    and energies are float64 always. `thermostat`: see `mdgen.thermostats`. `order` int [n] is the order in which forces
    are summed (default: as given). One that follows space, as `neighbors.spatial_order` of the initial configuration,
    is faster; trajectories are comparable bit by bit only if they share it. Replicas of different systems have species
    and order [R, n] and box [R, 3]. `device` is what `runkit.device.choose` gave: a GPU, or None for the CPU. `tuning`
    is how a GPU goes about it.
    """

    def __init__(
        self,
        position: ArrayLike,
        velocity: ArrayLike,
        species: ArrayLike,
        box: ArrayLike,
        potential: PairPotential,
        dt: float,
        precision: str = "float32",
        thermostat: Thermostat | None = None,
        order: ArrayLike | None = None,
        device: Gpu | None = None,
        tuning: Tuning = DEFAULT,
    ) -> None:
        places, speeds = replicas(position, velocity)
        self._snapshot: Snapshot | None = None
        self._evaluated = self._under_way = False
        self.dt, self.thermostat = dt, thermostat
        self.ensemble = Ensemble.of(places.shape[:2], species, box, order, potential, precision, thermostat)
        self._back = np.argsort(self.ensemble.order, axis=1)
        self.engine = _engine(device, self.ensemble, self._sorted(places), self._sorted(speeds), tuning)

    @property
    def n_replicas(self) -> int:
        return self.ensemble.shape[0]

    @property
    def n_particles(self) -> int:
        return self.ensemble.shape[1]

    @property
    def position(self) -> F64:
        """Unwrapped positions [R, n, 3]; not a number for replicas that have blown up, as all that follows."""
        return self._as_given("position")

    @property
    def velocity(self) -> F64:
        """Velocities [R, n, 3]."""
        return self._as_given("velocity")

    @property
    def force(self) -> F64:
        """Forces [R, n, 3]."""
        self._require_rest()
        self._evaluate()
        return self._as_given("force")

    @property
    def potential_energy(self) -> F64:
        """Potential energy [R]."""
        return self.snapshot().potential_energy

    @property
    def virial(self) -> F64:
        """Sum over pairs of r.F [R]."""
        return self.snapshot().virial

    @property
    def kinetic_energy(self) -> F64:
        """Kinetic energy [R]."""
        return self.snapshot().kinetic_energy

    @property
    def statistics(self) -> dict[str, float]:
        """`n_builds` of outer lists and `n_prunes` of inner lists, `dangerous_builds` (lists that came too late, 0),
        and `entries_per_particle` of the present lists, on average over replicas."""
        self._require_rest()
        count: dict[str, Any] = dict(self.engine.statistics)
        return count | {"entries_per_particle": count.pop("entries") / (self.n_replicas * self.n_particles)}

    def snapshot(self) -> Snapshot:
        """The present state of the replicas; it can be read while they advance, until the next snapshot."""
        self._require_rest()
        self._evaluate()
        self._snapshot = self._snapshot or Snapshot(self.engine.snapshot(), self._back)
        return self._snapshot

    def step(self, n_steps: int, dt: float | None = None) -> None:
        """Advance by `n_steps` steps, of length `dt` from now on if given."""
        self.begin(n_steps, dt)
        self.finish()

    def begin(self, n_steps: int, dt: float | None = None) -> None:
        """As `step`, without waiting for the end: a GPU starts at once, the CPU computes in `finish`.

        Until then the thermostat is neither to be read nor changed.
        """
        self._require_rest()
        self.dt = self.dt if dt is None else dt
        self._evaluate()
        self.engine.begin(n_steps, self.dt)
        self._snapshot, self._under_way = None, True

    def finish(self) -> None:
        """Wait for the steps that `begin` started."""
        if not self._under_way:
            raise RuntimeError("no steps are under way")
        self.engine.finish()
        self._under_way = False

    def minimize(self, tolerance: float, most: int) -> Convergence:
        """Minimise the energy of each replica until no force component exceeds `tolerance`, in at most `most`
        iterations of FIRE; velocities are zero then."""
        self._require_rest()
        convergence = self.engine.minimize(tolerance, most)
        self._forget()
        return convergence

    def restore(self, position: ArrayLike, velocity: ArrayLike) -> None:
        """Go on from these positions and velocities [R, n, 3]."""
        self._require_rest()
        places, speeds = replicas(position, velocity)
        self.engine.place(self._sorted(places), self._sorted(speeds))
        self._forget()

    def blown_up(self) -> I64:
        """Those of `Snapshot.blown_up`, now."""
        return self.snapshot().blown_up()

    def _evaluate(self) -> None:
        if not self._evaluated:
            self.engine.evaluate()
        self._evaluated = True

    def _forget(self) -> None:
        self._snapshot = None
        self._evaluated = self._under_way = False

    def _require_rest(self) -> None:
        if self._under_way:
            raise RuntimeError("steps are under way: finish them first")

    def _sorted(self, array: F64) -> F64:
        """[R, n, 3] in the order of summation."""
        return np.take_along_axis(array, self.ensemble.order[:, :, None], axis=1)

    def _as_given(self, name: str) -> F64:
        """An array of the engine [R, n, 3] in the order of the particles."""
        self._require_rest()
        array = np.take_along_axis(self.engine.array(name), self._back[:, :, None], axis=1)
        array[self.engine.frozen] = np.nan
        return array


def warm_up(
    potential: PairPotential, precision: str, device: Gpu | None = None, thermostat: Thermostat | None = None
) -> None:
    """Compile all kernels, or load them if that was done before; also those of a thermostat for two replicas.

    Several processes of a machine must not compile at once: let one of them do this before the others go on.
    """
    at_rest, edges = np.zeros((2, 2, 3)), [3 * potential.largest_cutoff] * 3
    apart = at_rest + np.array([[0.0], [0.4 * potential.cutoff[0, 0]]])  # they feel each other
    given = (apart, at_rest, [0, 0], edges, potential, 0.001, precision, thermostat)
    dynamics = Dynamics(*given, device=device)
    dynamics.step(1)
    dynamics.blown_up()


def _engine(device: Gpu | None, ensemble: Ensemble, position: F64, velocity: F64, tuning: Tuning) -> Engine:
    """What holds the replicas and moves them."""
    if device is not None:
        return GpuEngine(device, ensemble, position, velocity, tuning)
    from mdgen.kernels import cpu  # Numba takes a second to import: only where something moves on the CPU

    return CpuEngine(cpu.kernels_of(ensemble.potential), ensemble, position, velocity)
