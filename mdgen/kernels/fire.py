"""FIRE 2.0 for many replicas: the decisions of an iteration as a formula, and iterations on NumPy arrays.

The formula is applied to arrays [R] and, for `gpu/fire.cu`, to registers (see `runkit.formula`); it adds, multiplies,
divides, takes roots and compares. Sums over the 3 n components run in one order everywhere: each of COLUMNS columns
from its top, then these as rows of 32, then those 32. So minimisations have the same bits on the CPU and on a GPU,
whatever other replicas there are.

Source: J. Guénolé et al., Comput. Mater. Sci. 175, 109584 (2020), doi:10.1016/j.commatsci.2020.109584 (semi-implicit
Euler, half-step back on uphill motion); E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006),
doi:10.1103/PhysRevLett.97.170201.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from runkit.arrays import F64, I64
from runkit.formula import Value

DT_START, DT_LARGEST, DT_LEAST = 0.005, 0.025, 1e-4  # the stiffest pairs of a dense liquid allow no more
MIXING, MIXING_DECAY = 0.25, 0.99
GROWTH, SHRINKAGE, PATIENCE = 1.1, 0.5, 20
LONGEST_STEP = 0.1  # of any component in one iteration, so that overlaps come apart gently
START = (DT_START, MIXING, 0.0, 0.0)  # step, mixing, iterations downhill, iterations
N_ITERATIONS = 3  # where that is
COLUMNS = 256


class Convergence(NamedTuple):
    """How minimisations of R replicas ended: largest force component left [R] and iterations done [R]."""

    largest_force: F64
    n_iterations: I64


def decided(state: Sequence[Value] | F64, sums: Sequence[Value]) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    """What becomes of the velocity v by the force f, and the next state.

    `sums` are those of f v, v v and f f. Gives (back, keep, push, dt): first positions go back by back v, then v
    becomes keep v + push f, and positions go on by dt v.
    """
    (dt, mixing, n_downhill, n_iterations), (power, speed, strength) = state, sums
    downhill = np.greater(power, 0.0) * 1.0
    uphill = 1.0 - downhill
    n_downhill, n_iterations = (n_downhill + 1.0) * downhill, n_iterations + 1.0
    grows = np.greater(n_downhill, PATIENCE) * 1.0
    shrinks = uphill * np.greater(n_iterations, PATIENCE)
    back = 0.5 * uphill * dt
    longer, shorter = _smaller(dt * GROWTH, DT_LARGEST), _larger(dt * SHRINKAGE, DT_LEAST)
    dt = _chosen(grows, longer, _chosen(shrinks, shorter, dt))
    mixing = _chosen(uphill, MIXING, _chosen(grows, mixing * MIXING_DECAY, mixing))
    kicked = downhill * (speed + 2.0 * dt * power) + dt * dt * strength  # the sum of (v + dt f)^2
    push = (1.0 - mixing) * dt + mixing * np.sqrt(kicked / strength)
    return (back, (1.0 - mixing) * downhill, push, dt), (dt, mixing, n_downhill, n_iterations)


def _chosen(whether: Value, one: Value, other: Value) -> Value:
    """`one` where `whether` is 1, `other` where it is 0."""
    return whether * one + (1.0 - whether) * other


def _larger(one: Value, other: Value) -> Value:
    return _chosen(np.greater(one, other) * 1.0, one, other)


def _smaller(one: Value, other: Value) -> Value:
    return _chosen(np.greater(one, other) * 1.0, other, one)


def total(value: F64) -> F64:
    """The sums of value [R, m], in the order of all."""
    padded = np.pad(value, ((0, 0), (0, -value.shape[1] % COLUMNS))).reshape(len(value), -1, COLUMNS)
    columns = _added(padded.swapaxes(0, 1))
    return _added(_added(columns.reshape(len(value), -1, 32).swapaxes(0, 1)).T)


def _added(parts: F64) -> F64:
    """The sum over the first axis, from first to last."""
    return reduce(np.add, parts, np.zeros(parts.shape[1:]))


def descend(force_at: Callable[[F64], F64], start: F64, tolerance: float, most: int) -> tuple[F64, Convergence]:
    """Position [R, m] where no component of the force exceeds `tolerance`, and the `Convergence`, from `start` [R, m].

    `force_at` gives the forces [R, m] at positions. A replica that has come to rest, has done `most` iterations or has
    forces that are no numbers stays where it is.
    """
    position = np.array(start, np.float64)
    velocity, state = np.zeros_like(position), np.repeat(np.array(START)[:, None], len(position), axis=1)
    with np.errstate(all="ignore"):
        while True:
            force = force_at(position)
            largest = np.abs(force).max(axis=1)
            moves = (largest > tolerance) & (state[N_ITERATIONS] < most)
            if not moves.any():
                return position, Convergence(largest, state[N_ITERATIONS].astype(int))
            scales, changed = decided(state, [total(each) for each in (force * velocity, velocity**2, force**2)])
            back, keep, push, dt = (each[:, None] for each in scales)
            kicked = keep * velocity + push * force
            fastest = np.abs(kicked).max(axis=1, keepdims=True)
            kicked *= LONGEST_STEP / np.maximum(dt * fastest, LONGEST_STEP)
            position = np.where(moves[:, None], position - back * velocity + dt * kicked, position)
            velocity, state = kicked, np.where(moves, changed, state)
