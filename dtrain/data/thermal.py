"""Numbers of the liquid as it is, not of its inherent structure: where its particles go, and the forces on them.

What a particle does at short times follows from the forces on it: averaged over velocities, it goes where it would go
from rest, nearly, and spreads about that as in a harmonic well. So three trajectories are followed for some 70 periods
over 2 pi of the mean Einstein frequency: one from rest, and two that start along the forces and against them, with the
kinetic energy of the temperature that the configuration itself tells. Forces serve as velocities because they turn with
the configuration, which random numbers do not, and are nearly as uncorrelated in space. Their displacements are taken
at several times. At early times there is also the mean length of a Gaussian displacement about that from rest, with the
variances of a harmonic well of the particle's own stiffness.

Source: configurational temperature, H. H. Rugh, Phys. Rev. Lett. 78, 772 (1997), doi:10.1103/PhysRevLett.78.772,
without the terms that vanish for many particles.
Units: those of the potential; times in the formulas count periods over 2 pi.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import product
from typing import Any, TypeVar

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from dtrain.data import mark_of
from runkit.arrays import F64, Floats, Ints
from runkit.errors import UserError

STEP = 0.18  # of trajectories at most; 0.008 in a Kob-Andersen liquid
SHORTER = (1, 4, 16)  # what it is divided by until energy is conserved
LONGEST_STEP = 1.0  # in the units of the potential
EARLY = (0.18, 0.37, 0.74, 1.1, 1.5, 1.8, 2.3, 3.0, 3.8, 4.6)  # times of Gaussian displacements too
LATE = (5.8, 6.9, 9.2, 12.0, 16.0, 21.0, 28.0, 38.0, 51.0, 69.0)
TIMES = EARLY + LATE
N_PAIRED = 14  # last times at which the trajectories with velocities are looked at
NODES = 4  # of a Gaussian, along each axis
N_THERMAL = len(TIMES) + len(EARLY) + N_PAIRED + 4
KEPT = 2**27  # bytes of numbers that are kept at most, those of 340 configurations of 1024 particles

Found = TypeVar("Found")
_kept: dict[tuple[str, ...], F64] = {}


def kept_numbers(
    position: Floats, species: Ints, box: Floats, potential: str, parameters: Mapping[str, Any] | None
) -> F64:
    """`thermal_numbers`, not to be written into; those of the first configurations are kept for whoever asks again.

    An evaluation asks at every time, for the network and for its rivals. What is kept lies beside `data.memory`.
    """
    key = mark_of(position, species, box), potential, repr(parameters)
    if (known := _kept.get(key)) is not None:
        return known
    found = thermal_numbers(position, species, box, potential, parameters)
    found.flags.writeable = False
    if sum(numbers.nbytes for numbers in list(_kept.values())) + found.nbytes <= KEPT:
        _kept[key] = found
    return found


def thermal_numbers(
    position: Floats, species: Ints, box: Floats, potential: str, parameters: Mapping[str, Any] | None
) -> F64:
    """Numbers of each particle [n, N_THERMAL] at thermal positions [n, 3].

    Lengths of displacements from rest, expected lengths at early times, means of those with velocities, size of the
    force, and the eigenvalues of the stiffness. Displacements are zero where nothing holds particles in the mean, and
    where some lie so close to each other, as in no liquid, that their motion cannot be followed.
    """
    from mdgen.api import evaluate, mechanics  # loads a compiler, which no program needs that does without descriptors

    law: dict[str, Any] = {"potential": potential, "parameters": parameters}
    stiffness = mechanics(position, species, box, **law).stiffness
    force = evaluate(position, species, box, **law).force
    eigenvalues, axes = np.linalg.eigh(stiffness)
    stiff, square = float(eigenvalues.mean()), float(np.square(force).mean())
    size = np.linalg.norm(force, axis=1, keepdims=True)
    if stiff <= 0 or square <= 0:
        still = np.zeros((len(position), N_THERMAL - 4))
        return np.concatenate([still, size, eigenvalues], axis=1)
    period, temperature = stiff**-0.5, square / stiff
    velocity = force * np.sqrt(temperature / square)

    def moved(start: F64) -> F64:
        return _displacements(position, start, species, box, period, law)

    from_rest = moved(np.zeros_like(position))
    paired = [np.linalg.norm(moved(sign * velocity)[-N_PAIRED:], axis=2) for sign in (1.0, -1.0)]
    expected = []
    for time, mean in zip(EARLY, from_rest, strict=False):
        spread = np.sqrt(temperature) * _lag(eigenvalues, time * period)
        expected.append(_mean_length(np.einsum("nij,ni->nj", axes, mean), spread))
    lengths = [*np.linalg.norm(from_rest, axis=2), *expected, *np.mean(paired, axis=0)]
    return np.concatenate([np.stack(lengths, axis=1), size, eigenvalues], axis=1)


def _displacements(
    position: Floats, velocity: F64, species: Ints, box: Floats, period: float, law: Mapping[str, Any]
) -> F64:
    """Displacements [n_times, n, 3] at TIMES; by shorter steps where particles are too near for these."""
    from mdgen.api import follow

    times = [time * period for time in TIMES]
    with suppress(UserError):
        return in_steps(period, lambda dt: follow(position, velocity, species, box, times, dt, **law) - position)
    return np.zeros((len(TIMES), *position.shape))


def in_steps(period: float, run: Callable[[float], Found]) -> Found:
    """What `run` gives by steps that conserve energy: STEP of a `period`, or shorter ones; raises UserError."""
    from mdgen.api import NotConserved

    *longer, shortest = (min(STEP / shorter * period, LONGEST_STEP) for shorter in SHORTER)
    for dt in longer:
        with suppress(NotConserved):
            return run(dt)
    return run(shortest)


def _lag(stiffness: F64, time: float) -> F64:
    """|sin(w t) / w| for w² = stiffness; t where that is not positive."""
    found: F64 = time * np.abs(np.sinc(np.sqrt(np.maximum(stiffness, 0)) * time / np.pi))
    return found


def _mean_length(mean: F64, spread: F64) -> F64:
    """Mean length [n] of Gaussian vectors with these means and standard deviations [n, 3], by quadrature."""
    places, weights = hermegauss(NODES)
    weights = weights / weights.sum()
    found = np.zeros(len(mean))
    for nodes in product(range(NODES), repeat=3):
        found += weights[list(nodes)].prod() * np.linalg.norm(mean + spread * places[list(nodes)], axis=1)
    return found
