"""How well predictions agree with simulation: Pearson correlation as the field reports it, and what limits it.

Scored are A particles and AA pairs of the first coordination shell, at one time. The published figure is the
correlation within each configuration, averaged over configurations; the pooled one also counts whether slow and fast
configurations are told apart, and can rank models differently. A label is a mean over few replicas, so that even a
perfect prediction correlates with it only as the square root of its reliability: the ceiling.

Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791 (masks and score).
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runkit.arrays import Bools, Floats, Ints

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


def pearson(x: Floats, y: Floats) -> float:
    """Pearson correlation of two arrays of one shape; NaN if one does not vary or holds fewer than two items."""
    x, y = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
    if len(x) < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip((x @ y) / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def score(predicted: Sequence[Floats], simulated: Sequence[Floats]) -> Score:
    """The score of one array of predictions per configuration; configurations may differ in length."""
    each = [pearson(x, y) for x, y in zip(predicted, simulated, strict=True)]
    bias = [float(np.mean(x) - np.mean(y)) for x, y in zip(predicted, simulated, strict=True)]
    spread = np.std(each, ddof=1) / np.sqrt(len(each)) if len(each) > 1 else float("nan")
    pooled = pearson(np.concatenate(predicted), np.concatenate(simulated))
    return Score(float(np.mean(each)), float(spread), pooled, float(np.mean(bias)), tuple(each))


def ceiling(reliability: Floats) -> float:
    """The largest mean correlation that a perfect prediction can reach, from reliabilities of configurations."""
    return float(np.mean(np.sqrt(np.clip(reliability, 0.0, 1.0))))


def scored_particles(species: Ints) -> Bools:
    """Mask [n] of the particles that are scored: species A."""
    found: Bools = np.asarray(species) == 0
    return found


def scored_bonds(species: Ints, bond: Ints, distance: Floats) -> Bools:
    """Mask [n_bonds] of the pairs that are scored: both A and nearer than `CLOSE_PAIR` at time zero."""
    found: Bools = (np.asarray(species)[bond] == 0).all(axis=1) & (distance < CLOSE_PAIR)
    return found
