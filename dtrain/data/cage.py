"""Cages: where particles rattle, on average, and how far, in a short simulation from their configuration.

A particle of a cold liquid rattles in the cage of its neighbours long before it moves on. Its mean position in the cage
tells more of what comes than the energy minimum does, and so does the size of the cage (the Debye-Waller factor). Some
replicas, each with Maxwell velocities of its own, are followed for a short time, and displacements are averaged over
them and over evenly spaced times. Velocities follow from the numbers of a replica and of a particle alone, so a
configuration has the same cages wherever it comes from.

Source: cage positions, R. M. Alkemade, F. Smallenburg and L. Filion, J. Chem. Phys. 158, 134512 (2023),
doi:10.1063/5.0144822; Debye-Waller factors, A. Widmer-Cooper and P. Harrowell, Phys. Rev. Lett. 96, 185701 (2006),
doi:10.1103/PhysRevLett.96.185701.
Units: those of the potential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from dtrain.data.pairs import minimum_image
from dtrain.data.thermal import SHORTER, STEP
from runkit.arguments import numbers, positive, whole
from runkit.arrays import F64, Floats, Ints
from runkit.config import Config
from runkit.errors import UserError

N_TIMES = 40  # at which displacements are taken
SKIPPED = 2  # first ones, before particles have met their cages
N_LAST = 4  # times that count as the end
NEAR = 0.42  # farthest from the inherent position that counts as in the cage, in mean distances
LEAST = 1e-5  # a variance that counts as none, in squares of the mean distance
SPREADS, LENGTHS = 6, 4
MOST_REPLICAS, SHORTEST, LONGEST = 1000, 1e-3, 1e9
CAGE_WIDTH = 3 + SPREADS + LENGTHS
HOW_SEEN = f"{N_TIMES} {SKIPPED} {N_LAST} {NEAR} {LEAST} {STEP}"  # cages that are kept belong to it


class CageOptions(Config):
    """The short simulation that cages are taken from."""

    replicas: int = Field(
        0,
        ge=0,
        le=MOST_REPLICAS,
        description="trajectories from each configuration whose cages descriptors tell too; 0: none. Cages are kept "
        "beside the file, FILE.cages",
    )
    time: float = Field(
        40.0,
        ge=SHORTEST,
        le=LONGEST,
        description="their length, which should be short beside the times that are learnt [tau_LJ]",
    )


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
    def array(self) -> F64:
        """All of it as one array."""
        return np.concatenate(self, axis=1)


def cages(
    position: Floats,
    inherent: Floats,
    species: Ints,
    box: Floats,
    temperature: float,
    replicas: int = 8,
    time: float = 40.0,
    *,
    potential: str = "kob-andersen",
    parameters: Mapping[str, Any] | None = None,
) -> Cage:
    """The cages of particles at thermal positions [n, 3] of `species` [n], whose inherent structure [n, 3] is given.

    So many `replicas` are followed for this `time`. Raises UserError for what is no configuration of the potential, and
    for what cannot be followed.
    """
    from mdgen.api import mechanics  # loads a compiler, which no program needs that does without descriptors

    replicas, time = whole("replicas", replicas, 1, MOST_REPLICAS), positive("time", time, SHORTEST, LONGEST)
    law: dict[str, Any] = {"potential": potential, "parameters": dict(parameters or {})}
    stiffness = mechanics(position, species, box, **law).stiffness
    before, edges = np.asarray(position, np.float64), np.broadcast_to(np.asarray(box, np.float64), 3)
    below = numbers("inherent", inherent, "numbers [n, 3]")
    if below.shape != before.shape or not np.isfinite(below).all():
        raise UserError(f"inherent: finite numbers of the shape of position {before.shape} are needed")
    stiff = float(np.trace(stiffness, axis1=1, axis2=2).mean() / 3)
    if stiff <= 0:
        raise UserError("position: nothing holds the particles in the mean, so they have no cages")
    start = before, minimum_image(below - before, edges), float((edges.prod() / len(before)) ** (1 / 3))
    times = (time * np.arange(1, N_TIMES + 1) / N_TIMES).tolist()
    for shorter in SHORTER:
        how = {**law, "dt": min(STEP / shorter * stiff**-0.5, time), "dtype": "float32"}
        try:
            return _seen(start, (species, edges, temperature, times, replicas, 0), how)
        except UserError:
            if shorter == SHORTER[-1]:
                raise
    raise AssertionError("no step is tried")


def _seen(start: tuple[F64, F64, float], run: tuple[Any, ...], how: Mapping[str, Any]) -> Cage:
    """The cages by trajectories in steps of one length."""
    from mdgen.api import trajectories

    position, to_inherent, unit = start
    seen = _Sums(to_inherent, unit, run[-2])
    for i_time, now in enumerate(trajectories(position, *run, **how)):
        if i_time >= SKIPPED:
            seen.add(now - position)
    return seen.cage


class _Sums:
    """Sums over the times that were seen, of each replica."""

    def __init__(self, to_inherent: F64, unit: float, n_replicas: int) -> None:
        self._to_inherent, self._unit, shape = to_inherent, unit, (n_replicas, len(to_inherent))
        self._lengths: list[F64] = []
        self._total, self._square = np.zeros((*shape, 3)), np.zeros(shape)
        self._near, self._n_near = np.zeros_like(to_inherent), np.zeros(len(to_inherent))

    def add(self, moved: F64) -> None:
        """Displacements [n_replicas, n, 3] at one more time."""
        length = np.linalg.norm(moved, axis=2)
        self._lengths.append(length.mean(axis=0))
        self._total += moved
        self._square += length**2
        near = np.linalg.norm(moved - self._to_inherent, axis=2) < NEAR * self._unit
        self._near += (moved * near[..., None]).sum(axis=0)
        self._n_near += near.sum(axis=0)

    @property
    def cage(self) -> Cage:
        """What the sums come to."""
        lengths, unit = np.array(self._lengths), self._unit
        total, square = self._total / len(lengths), self._square / len(lengths)
        all_ways, middle = square.mean(axis=0), total.mean(axis=0)
        variance = np.maximum(all_ways - (middle**2).sum(axis=1), 0)
        within = np.maximum(square - (total**2).sum(axis=2), 0).mean(axis=0)
        between = np.maximum(variance - within, 0)
        least = LEAST * unit**2
        roots = [(np.sqrt(one), np.log(one + least)) for one in (within, between)]
        spread = [variance, np.log(variance + least), *(column for pair in roots for column in pair)]
        every, later = lengths.mean(axis=0), lengths[len(lengths) // 2 :].mean(axis=0)
        length = [every, np.log(every + LEAST * unit), later, lengths[-N_LAST:].mean(axis=0)]
        was_near = self._n_near[:, None] > 0
        mean = np.where(was_near, self._near / np.maximum(self._n_near, 1)[:, None], self._to_inherent)
        return Cage(mean, np.stack(spread, axis=1), np.stack(length, axis=1))
