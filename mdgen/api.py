"""The public functions of mdgen: NumPy arrays in, NumPy arrays out, any number of particles, float64 by default.

`box` is three edges, or one number for a cube; each must be at least twice the longest cutoff. `potential` is a
registered name, with its `parameters` as `system.parameters` of a case has them, or a `PairPotential`. `dtype` is the
arithmetic of the pair forces, "float64" or "float32"; `device` a GPU that `runkit.device.choose` gave, or None for the
CPU. Positions may lie anywhere and are never wrapped.
Units: Lennard-Jones (epsilon_AA = sigma_AA = m = k_B = 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mdgen.config import SHORTEST
from mdgen.dynamics import Dynamics
from mdgen.fields import Mechanics
from mdgen.fields import mechanics as mechanics_of
from mdgen.given import ascending, rows, velocities
from mdgen.initial import Configuration
from mdgen.minimize import inherent_structure
from mdgen.neighbors import spatial_order
from mdgen.observables import displacement
from mdgen.potentials import potential as registry
from mdgen.potentials.pair import PairPotential
from mdgen.schedule import production_blocks
from mdgen.snapshot import Snapshot
from mdgen.soundness import exploded
from mdgen.velocities import maxwell_velocities
from runkit.arguments import float_type, numbers, positive, shown, whole
from runkit.arrays import F64
from runkit.device import Gpu
from runkit.errors import UserError

MOST_STEPS, MOST_REPLICAS = 10**12, 100_000
STEP = (SHORTEST, 1.0)  # shortest and longest time step; whether it keeps the energy is seen when it is made
GROUP = 32  # replicas that advance together; results do not depend on it


class NotConserved(UserError):
    """Steps were too long to conserve the energy."""


@dataclass(frozen=True)
class Evaluation:
    """Total potential energy, force [n, 3], and virial W = sum over pairs of r·F."""

    energy: float
    force: F64
    virial: float


def evaluate(
    position: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    potential: str | PairPotential = "kob-andersen",
    dtype: str = "float64",
    device: Gpu | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Energy, forces and virial of particles at `position` [n, 3] of `species` [n].

    Raises `UserError` for input that is not a configuration of this potential.
    """
    start, law = rows("position", position), _law(potential, parameters)
    dynamics = _dynamics(start[None], np.zeros_like(start)[None], species, box, law, dtype, device)
    found = Evaluation(float(dynamics.potential_energy[0]), dynamics.force[0], float(dynamics.virial[0]))
    _require_finite(found)
    return found


def propagate(
    position: ArrayLike,
    velocity: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    dt: float,
    n_steps: int,
    potential: str | PairPotential = "kob-andersen",
    dtype: str = "float64",
    device: Gpu | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> tuple[F64, F64]:
    """Position and velocity [n, 3] after `n_steps` velocity-Verlet steps of length `dt` (NVE), unwrapped.

    Raises `UserError` for input that is not a configuration of this potential, and for steps that are too long for it.
    """
    start, speeds = rows("position", position), velocities(position, velocity)
    n_steps, dt = whole("n_steps", n_steps, 0, MOST_STEPS), positive("dt", dt, *STEP)
    law = _law(potential, parameters)
    dynamics = _dynamics(start[None], speeds[None], species, box, law, dtype, device)
    energy = dynamics.snapshot().energy_per_particle
    dynamics.step(n_steps, dt=dt)
    _require_sound(dynamics.snapshot(), energy, dt)
    return dynamics.position[0], dynamics.velocity[0]


def follow(
    position: ArrayLike,
    velocity: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    times: Sequence[float],
    dt: float = 0.005,
    potential: str | PairPotential = "kob-andersen",
    dtype: str = "float64",
    device: Gpu | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> F64:
    """Positions [n_times, n, 3] at the ascending `times` of one NVE trajectory, unwrapped.

    Steps are at most `dt` long and fall exactly on the times. Raises `UserError` for input that is not a configuration
    of this potential, and for steps that do not conserve its energy.
    """
    start, speeds = rows("position", position), velocities(position, velocity)
    times, dt = ascending(times), positive("dt", dt, *STEP)
    law = _law(potential, parameters)
    dynamics = _dynamics(start[None], speeds[None], species, box, law, dtype, device)
    found = np.empty((len(times), *start.shape))
    for i_time in _snapshots(dynamics, times, dt):
        found[i_time] = dynamics.position[0]
    return found


def mechanics(
    position: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    potential: str | PairPotential = "kob-andersen",
    parameters: Mapping[str, Any] | None = None,
) -> Mechanics:
    """Energy, virial, curvature, stress and stiffness of each particle: see `mdgen.fields.Mechanics`.

    Raises `UserError` for input that is not a configuration of this potential.
    """
    found = mechanics_of(*_start(position, species, box, potential, parameters))
    _require_finite(found)
    return found


def inherent_position(
    position: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    potential: str | PairPotential = "kob-andersen",
    parameters: Mapping[str, Any] | None = None,
) -> F64:
    """The inherent structure [n, 3] of a configuration: the energy minimum that FIRE reaches from it, in the box.

    Raises `UserError` for input that is not a configuration of this potential, and where no minimum is found.
    """
    found = inherent_structure(*_start(position, species, box, potential, parameters))
    if not found.converged:
        message = f"a force of {found.largest_force:.2g} is left after {found.n_iterations} iterations"
        raise UserError(f"position: no energy minimum was found: {message}")
    return found.position


def isoconfigurational(
    position: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    temperature: float,
    times: Sequence[float],
    n_replicas: int,
    seed: int,
    dt: float = 0.005,
    potential: str | PairPotential = "kob-andersen",
    dtype: str = "float64",
    device: Gpu | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> F64:
    """Propensity [n_times, n]: mean of |r_i(t) - r_i(0)| over `n_replicas` NVE trajectories from one configuration.

    Every replica starts with its own Maxwell velocities at `temperature`, of zero total momentum, drawn from
    (seed, replica). Steps are at most `dt` long and fall exactly on the ascending `times`. Raises `UserError` for input
    that is not a configuration of this potential, and for steps that do not conserve its energy.
    """
    start, n_replicas = rows("position", position), whole("n_replicas", n_replicas, 1, MOST_REPLICAS)
    how = species, box, potential, dtype, device, parameters
    moved = np.empty((len(ascending(times)), n_replicas, len(start)))
    for first in range(0, n_replicas, GROUP):
        replicas = range(first, min(first + GROUP, n_replicas))
        for i_time, reached in enumerate(_replicas(start, temperature, times, replicas, (seed, dt), how)):
            moved[i_time, replicas.start : replicas.stop] = displacement(reached, start)
    propensity: F64 = moved.mean(axis=1)
    return propensity


def trajectories(
    position: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    temperature: float,
    times: Sequence[float],
    n_replicas: int,
    seed: int,
    dt: float = 0.005,
    potential: str | PairPotential = "kob-andersen",
    dtype: str = "float64",
    device: Gpu | None = None,
    parameters: Mapping[str, Any] | None = None,
    first: int = 0,
) -> Iterator[F64]:
    """Positions [n_replicas, n, 3], unwrapped, one time after the other, of the trajectories of `isoconfigurational`.

    They are those of replicas from the number `first` on, and do not depend on how many advance together; all do, and
    one time is held at once. Raises `UserError` as that does.
    """
    n_replicas, first = whole("n_replicas", n_replicas, 1, MOST_REPLICAS), whole("first", first, 0, MOST_REPLICAS)
    replicas, how = range(first, first + n_replicas), (species, box, potential, dtype, device)
    return _replicas(rows("position", position), temperature, times, replicas, (seed, dt), (*how, parameters))


def _replicas(
    start: F64, temperature: float, at: Sequence[float], replicas: range, run: tuple[int, float], how: tuple[Any, ...]
) -> Iterator[F64]:
    """The positions of some replicas at the times; `run` is seed and time step, `how` what forces follow from."""
    (seed, dt), (species, box, potential, dtype, device, parameters) = run, how
    times, seed = ascending(at), whole("seed", seed, 0, 2**63 - 1)
    dt, temperature = positive("dt", dt, *STEP), positive("temperature", temperature, 1e-6, 1e6)
    velocity = np.stack([maxwell_velocities(len(start), temperature, seed, 0, replica) for replica in replicas])
    together = np.repeat(start[None], len(replicas), axis=0)
    dynamics = _dynamics(together, velocity, species, box, _law(potential, parameters), dtype, device)
    return (dynamics.position for _ in _snapshots(dynamics, times, dt))


def _snapshots(dynamics: Dynamics, times: Sequence[float], dt: float) -> Iterator[int]:
    """Advance through the times in steps of at most `dt`, each of whose numbers is given when it is reached."""
    energy = dynamics.snapshot().energy_per_particle
    for block in production_blocks(times, dt):
        dynamics.step(block.n_steps, dt=block.dt)
        _require_sound(dynamics.snapshot(), energy, dt)
        if block.snapshot is not None:
            yield block.snapshot


def law_in_words(potential: str | PairPotential, parameters: Mapping[str, Any] | None = None) -> str:
    """A law with all of its numbers, those that were left to their defaults too, for digests; raises UserError."""
    law = _law(potential, parameters)
    matrices = {"cutoff": law.cutoff, **law.parameters}
    return f"{law.law!r} {sorted((name, values.tolist()) for name, values in matrices.items())}"


def _start(
    position: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    potential: str | PairPotential,
    parameters: Mapping[str, Any] | None,
) -> tuple[Configuration, PairPotential]:
    law = _law(potential, parameters)
    return _configuration(rows("position", position), species, box, law), law


def _law(potential: str | PairPotential, parameters: Mapping[str, Any] | None) -> PairPotential:
    names = parameters if isinstance(parameters, Mapping) else {} if parameters is None else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise UserError(f"parameters = {shown(parameters)}: a dict of the potential's parameters is needed")
    if not isinstance(potential, PairPotential):
        return registry.build(potential, **(parameters or {}))
    if parameters:
        raise UserError("parameters: a PairPotential has its own; they belong to the name of a registered potential")
    return potential


def _dynamics(
    position: F64,
    velocity: F64,
    species: ArrayLike,
    box: ArrayLike,
    law: PairPotential,
    dtype: str,
    device: Gpu | None,
) -> Dynamics:
    dtype = float_type("dtype", dtype)
    if device is not None and not isinstance(device, Gpu):
        raise UserError(f"device = {shown(device)}: a GPU that runkit.device.choose gave, or None, is needed")
    start = _configuration(position[0], species, box, law)
    order = spatial_order(start.position, start.box)
    return Dynamics(position, velocity, start.species, start.box, law, 0.005, dtype, order=order, device=device)


def _configuration(position: F64, species: ArrayLike, box: ArrayLike, law: PairPotential) -> Configuration:
    edges = numbers("box", box, "three edges, or one of a cube,")
    edges = np.full(3, float(edges)) if edges.ndim == 0 else edges
    start = Configuration.of("input", position, species, edges)
    start.require(law)
    return start


def _require_finite(found: Evaluation | Mechanics) -> None:
    if not all(np.isfinite(values).all() for values in vars(found).values()):
        raise UserError("position: particles lie on each other, or so close that energy or force are not finite")


def _require_sound(reached: Snapshot, energy: F64, dt: float) -> None:
    """Raise UserError if steps as long as `dt` have not kept the total `energy` per particle [R] of all replicas.

    The measure is the temperature that was reached: a start far from equilibrium heats up while it conserves energy.
    """
    temperature = 2 * reached.kinetic_energy / (3 * reached.n_particles)
    lost = np.flatnonzero(exploded(reached.energy_per_particle, energy, temperature))
    if len(lost):
        message = f"energy is not conserved in {len(lost)} of {len(energy)} replica(s)"
        raise NotConserved(f"dt = {dt:g}: {message}; take shorter steps")
