"""How well predictions agree with simulation: Pearson correlation as the field reports it, and what limits it.

Scored are A particles and AA pairs of the first coordination shell, at one time. The published figure is the
correlation within each configuration, averaged over configurations; the pooled one also counts whether slow and fast
configurations are told apart, and can rank models differently. A label is a mean over few replicas, so that even a
perfect prediction correlates with it only as the square root of its reliability: the ceiling. What holds a number that
is not finite scores NaN.

Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791 (masks and score).
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from runkit.arguments import numbers
from runkit.arrays import F64, Bools, Floats, Ints
from runkit.errors import UserError

CLOSE_PAIR = 1.35  # AA pairs nearer than this are scored


@dataclass(frozen=True)
class Score:
    """Agreement over `n_samples` configurations at one time.

    `pearson` is the mean of the correlations within a configuration (`each`), with its standard error over
    configurations; `pooled` the correlation over all items together; `bias` the mean of prediction minus simulation.
    """

    pearson: float
    standard_error: float
    pooled: float
    bias: float
    each: tuple[float, ...]

    @property
    def n_samples(self) -> int:
        """Number of configurations."""
        return len(self.each)


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson correlation of two arrays of one shape; NaN if one does not vary or holds fewer than two items.

    Raises UserError for what is no such pair of arrays.
    """
    x, y = numbers("x", x), numbers("y", y)
    if x.shape != y.shape:
        raise UserError(f"y: shape {x.shape}, that of x, is needed, not {y.shape}")
    if x.size < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    x, y = _centred(x.ravel()), _centred(y.ravel())
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip((x @ y) / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def _centred(values: F64) -> F64:
    """Values less their mean, in a power of two: neither sums nor squares leave the range of numbers."""
    exponent = int(np.frexp(np.abs(values).max())[1])
    scaled = np.ldexp(values, -exponent)
    centred = scaled - scaled.mean()
    found: F64 = np.ldexp(centred, -int(np.frexp(np.abs(centred).max())[1]))
    return found


def score(predicted: Sequence[Floats], simulated: Sequence[Floats]) -> Score:
    """The score of one array of predictions per configuration; configurations may differ in length.

    `standard_error` is NaN for a single one. Raises UserError for what is no such pair of lists.
    """
    if not (_are_rows(predicted) and _are_rows(simulated) and len(predicted) == len(simulated) > 0):
        raise UserError("predicted, simulated: two lists with an array for each configuration are needed")
    guesses = [numbers("predicted", x).ravel() for x in predicted]
    pairs = [(x, numbers("simulated", y).ravel()) for x, y in zip(guesses, simulated, strict=True)]
    each = [pearson(x, y) for x, y in pairs]
    with np.errstate(over="ignore", invalid="ignore"):
        bias = [float(np.mean(x - y)) for x, y in pairs]
    spread = np.std(each, ddof=1) / np.sqrt(len(each)) if len(each) > 1 else float("nan")
    pooled = pearson(*(np.concatenate(arrays) for arrays in zip(*pairs, strict=True)))
    return Score(float(np.mean(each)), float(spread), pooled, float(np.mean(bias)), tuple(each))


def _are_rows(arrays: object) -> bool:
    is_list = isinstance(arrays, Sequence) and not isinstance(arrays, (str, bytes))
    return is_list or (isinstance(arrays, np.ndarray) and arrays.ndim > 0)


def ceiling(reliability: ArrayLike) -> float:
    """The largest mean correlation that a perfect prediction can reach, from reliabilities of configurations.

    Raises UserError for what are no numbers.
    """
    found = numbers("reliability", reliability)
    if not found.size:
        raise UserError("reliability: that of one configuration at least is needed")
    return float(np.mean(np.sqrt(np.clip(found, 0.0, 1.0))))


def scored_particles(species: Ints) -> Bools:
    """Mask [n] of the particles that are scored: species A."""
    found: Bools = np.asarray(species) == 0
    return found


def scored_bonds(species: Ints, bond: Ints, distance: Floats) -> Bools:
    """Mask [n_bonds] of the pairs that are scored: both A and nearer than `CLOSE_PAIR` at time zero."""
    found: Bools = (np.asarray(species)[bond] == 0).all(axis=1) & (distance < CLOSE_PAIR)
    return found
