"""Cages: where particles rattle, on average, and how far, in a short simulation from their configuration.

A particle of a cold liquid rattles in the cage of its neighbours long before it moves on. Its mean position in the cage
tells more of what comes than the energy minimum does, and so does the size of the cage (the Debye-Waller factor). Some
replicas, each with Maxwell velocities of its own, are followed for a short time, and displacements are averaged over
them and over evenly spaced times. Velocities follow from the numbers of a replica and of a particle alone. So the same
arrays have the same cages, from whatever file or place they come; a configuration whose particles are listed in another
order, or that is rotated, has others, which differ as those of other replicas do (docs/validation.md says how much).

Source: cage positions, R. M. Alkemade, F. Smallenburg and L. Filion, J. Chem. Phys. 158, 134512 (2023),
doi:10.1063/5.0144822; Debye-Waller factors, A. Widmer-Cooper and P. Harrowell, Phys. Rev. Lett. 96, 185701 (2006),
doi:10.1103/PhysRevLett.96.185701.
Units: those of the potential.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from dtrain.data.pairs import minimum_image
from dtrain.data.thermal import SHORTER, STEP, in_steps
from runkit.arguments import alike, positive, whole
from runkit.arrays import F64, Floats, Ints
from runkit.config import Config
from runkit.errors import UserError
from runkit.memory import shortage

N_TIMES = 40  # at which displacements are taken
SKIPPED = 2  # first ones, before particles have met their cages
N_LAST = 4  # times that count as the end
NEAR = 0.42  # farthest from the inherent position that counts as in the cage, in mean distances
LEAST = 1e-5  # a variance that counts as none, in squares of the mean distance
SPREADS, LENGTHS = 6, 4
MOST_REPLICAS, SHORTEST, LONGEST = 1000, 1e-3, 1e9
CAGE_WIDTH = 3 + SPREADS + LENGTHS
SEED, DTYPE = 0, "float32"
VERSION = 2  # of the formulas of this file: raised with them, so that cages that are kept are made again
HOW_SEEN = f"{VERSION}: {N_TIMES} {SKIPPED} {N_LAST} {NEAR} {LEAST} {STEP} {SHORTER} {DTYPE} {SEED}"

Run = tuple[Ints, F64, float, list[float]]  # species, box, temperature, times


class CageOptions(Config):
    """The short simulation that cages are taken from."""

    replicas: int = Field(
        0,
        ge=0,
        le=MOST_REPLICAS,
        description="trajectories from each configuration whose cages descriptors tell too; 0: none. Cages are kept "
        "beside the file, FILE.cages",
    )
    time: float | None = Field(
        None,
        ge=SHORTEST,
        le=LONGEST,
        description="their length, needed where there are some; it should be short beside the times that are learnt, "
        "and has to be below the largest [tau_LJ]",
    )

    @model_validator(mode="after")
    def _trajectories_have_a_length(self) -> CageOptions:
        if self.replicas and self.time is None:
            raise ValueError(f"replicas = {self.replicas}: time is needed, the length of their trajectories")
        return self

    @property
    def length(self) -> float:
        """The length of the trajectories, 0 without any."""
        return self.time or 0.0 if self.replicas else 0.0

    def require_short(self, largest: float) -> None:
        """Raise UserError if trajectories reach the largest time that is learnt."""
        if self.replicas and self.length >= largest:
            told = f"reaches the largest time that is learnt, {largest:g}"
            instead = "less than that, or data.cage.replicas = 0, without a short simulation"
            raise UserError(f"data.cage.time = {self.length:g} {told}; allowed: {instead}")


class Cage(NamedTuple):
    """Displacements from a configuration, in means over replicas and times.

    `mean` [n, 3] is the displacement, over all times at which a particle is near its inherent position. `spread`
    [n, SPREADS] are the variance of its position, and the roots of the parts within a replica and between replicas,
    each with its logarithm. `length` [n, LENGTHS] are lengths of the displacement: of all times, the logarithm of that,
    of the later half, and of the end.
    """

    mean: F64
    spread: F64
    length: F64

    @classmethod
    def of_array(cls, values: Floats) -> Cage:
        """From one array [n, CAGE_WIDTH]."""
        return cls(*np.split(np.asarray(values, np.float64), [3, 3 + SPREADS], axis=1))

    @property
    def later_length(self) -> F64:
        """The mean length of a particle's displacement in the later half of the times, over replicas [n]."""
        return self.length[:, 2]

    @property
    def array(self) -> F64:
        """All of it as one array."""
        return np.concatenate(self, axis=1)


def cages(
    position: Floats,
    inherent: Floats,
    species: Ints,
    box: Floats,
    temperature: float,
    *,
    replicas: int,
    time: float,
    potential: str = "kob-andersen",
    parameters: Mapping[str, Any] | None = None,
) -> Cage:
    """The cages of particles at thermal positions [n, 3] of `species` [n], whose inherent structure [n, 3] is given.

    So many `replicas` are followed for this `time`. Raises UserError for what is no configuration of the potential, for
    what cannot be followed, and where memory is short.
    """
    from mdgen.api import mechanics  # loads a compiler, which no program needs that does without descriptors

    replicas, time = whole("replicas", replicas, 1, MOST_REPLICAS), positive("time", time, SHORTEST, LONGEST)
    law: dict[str, Any] = {"potential": potential, "parameters": parameters}
    stiffness = mechanics(position, species, box, **law).stiffness
    before, edges = np.asarray(position, np.float64), np.broadcast_to(np.asarray(box, np.float64), 3)
    below = alike("inherent", inherent, "position", before)
    stiff = float(np.trace(stiffness, axis1=1, axis2=2).mean() / 3)
    if stiff <= 0:
        raise UserError("position: nothing holds the particles in the mean, so they have no cages")
    seen = before, minimum_image(below - before, edges), float((edges.prod() / len(before)) ** (1 / 3))
    times = (time * np.arange(1, N_TIMES + 1) / N_TIMES).tolist()
    run = species, edges, temperature, times
    try:
        return in_steps(stiff**-0.5, lambda dt: _seen(seen, run, replicas, {**law, "dt": min(dt, time)}))
    except MemoryError as error:
        told = f"replicas = {replicas}: cages of {len(before)} particles are too many for the memory"
        raise UserError(f"{told}: {shortage(error)}") from error


def _seen(start: tuple[F64, F64, float], run: Run, n_replicas: int, how: Mapping[str, Any]) -> Cage:
    """The cages by trajectories in steps of one length."""
    from mdgen.api import GROUP, trajectories

    position, to_inherent, unit = start
    sums = _Sums(to_inherent, unit)
    for first in range(0, n_replicas, GROUP):
        n_together = min(GROUP, n_replicas - first)
        reached = trajectories(position, *run, n_together, SEED, **how, dtype=DTYPE, first=first)
        sums.add(now - position for i_time, now in enumerate(reached) if i_time >= SKIPPED)
    return sums.cage


class _Sums:
    """Sums over the times that were seen and over replicas, in the order of these: groups of them change no bit."""

    def __init__(self, to_inherent: F64, unit: float) -> None:
        n_particles = len(to_inherent)
        self._to_inherent, self._unit, self._n_replicas = to_inherent, unit, 0
        self._lengths = np.zeros((N_TIMES - SKIPPED, n_particles))
        self._total, self._near = np.zeros((2, n_particles, 3))
        self._square, self._within, self._n_near = np.zeros((3, n_particles))

    def add(self, moved: Iterable[F64]) -> None:
        """Displacements [n_together, n, 3] of the next replicas, one time after the other."""
        total = square = near = n_near = np.zeros(())  # over times, of each replica
        for i_time, now in enumerate(moved):
            length = np.linalg.norm(now, axis=2)
            is_near = np.linalg.norm(now - self._to_inherent, axis=2) < NEAR * self._unit
            total, square = total + now, square + length**2
            near, n_near = near + now * is_near[..., None], n_near + is_near
            for of_replica in length:
                self._lengths[i_time] += of_replica
        n_times = len(self._lengths)
        for middle, extent, place, count in zip(total / n_times, square / n_times, near, n_near, strict=True):
            self._total += middle
            self._square += extent
            self._within += np.maximum(extent - (middle**2).sum(axis=1), 0)
            self._near += place
            self._n_near += count
        self._n_replicas += len(total)

    @property
    def cage(self) -> Cage:
        """What the sums come to."""
        sums, unit = (self._total, self._square, self._within, self._lengths), self._unit
        total, all_ways, within, lengths = (one / self._n_replicas for one in sums)
        variance = np.maximum(all_ways - (total**2).sum(axis=1), 0)
        between = np.maximum(variance - within, 0)
        least = LEAST * unit**2
        roots = [(np.sqrt(one), np.log(one + least)) for one in (within, between)]
        spread = [variance, np.log(variance + least), *(column for pair in roots for column in pair)]
        every, later = lengths.mean(axis=0), lengths[len(lengths) // 2 :].mean(axis=0)
        length = [every, np.log(every + LEAST * unit), later, lengths[-N_LAST:].mean(axis=0)]
        was_near = self._n_near[:, None] > 0
        mean = np.where(was_near, self._near / np.maximum(self._n_near, 1)[:, None], self._to_inherent)
        return Cage(mean, np.stack(spread, axis=1), np.stack(length, axis=1))
