"""The level of a configuration: mean and spread of its labels by kind of item, and what their noise is beside it.

Kinds are the particles of each species, then the kinds of pairs (`dtrain.models.linear.pair_kinds`). The spread is that
of the labels without their noise, whose variance is the mean of the squared standard errors.

Units: sigma.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from dtrain.data.configurations import Configuration
from dtrain.data.pairs import distances
from dtrain.models.linear import FIRST_SHELL, n_kinds
from runkit.arrays import F32, F64, I64, Floats, Ints

LEAST = 0.05  # of the variance of labels is meant, also where their noise seems to be all of it
Kinds: TypeAlias = tuple[I64, I64]  # of each particle [n] and of each pair [n_pairs]


@dataclass(frozen=True)
class Level:
    """By kind: `mean` and `spread` [n_kinds], NaN and 1 where there is no such item.

    `noise` [2] is the variance of the noise of labels, of particles and of pairs, over that of what they mean.
    """

    mean: F64
    spread: F64
    noise: F64
    n_species: int

    def terms(self, with_spread: bool) -> F64:
        """What is learnt of a level [n_kinds, 2]: means, of particles as logarithms, and logarithms of spreads."""
        mean = np.where(np.arange(len(self.mean)) < self.n_species, np.log(np.abs(self.mean)), self.mean)
        spread = np.where(np.isfinite(self.mean) & with_spread, np.log(self.spread), np.nan)
        return np.stack([mean, spread], axis=1)

    def weights(self, unexplained: float) -> F64:
        """Of the particles and of the pairs of a graph [2]."""
        found: F64 = unexplained / (unexplained + self.noise)
        return found

    def standardised(self, kinds: Kinds, labels: tuple[Floats, Floats]) -> tuple[F32, F32]:
        """Labels of particles and of pairs less the mean, in units of the spread."""
        first, second = (
            ((label - self.mean[kind]) / self.spread[kind]).astype(np.float32)
            for label, kind in zip(labels, kinds, strict=True)
        )
        return first, second

    def seen_once(self, ensemble: Level, n_replicas: int) -> Level:
        """That of a single trajectory, whose labels tell its mean alone; the rest is that of its ensemble."""
        return replace(self, spread=ensemble.spread, noise=n_replicas * ensemble.noise)


def kinds_of(found: Configuration, pairs: Ints, n_species: int) -> Kinds:
    """The kinds of the particles and of `pairs` [n_pairs, 2] of a configuration, by its thermal positions."""
    shell = (distances(found.thermal, pairs, found.box) < FIRST_SHELL).astype(np.int64)
    a, b = np.sort(found.species[pairs].astype(np.int64), axis=1).T
    return found.species.astype(np.int64), n_species + (a * n_species + b) * 2 + shell


def level_of(
    kinds: Kinds, labels: tuple[Floats, Floats], errors: tuple[Floats, Floats] | None, n_species: int
) -> Level:
    """The level of a configuration by the labels of its particles [n] and pairs [n_pairs].

    `errors` are their standard errors, None where these are not known.
    """
    n_all = n_species + n_kinds(n_species)
    mean, spread, noise = np.full(n_all, np.nan), np.ones(n_all), np.zeros(2)
    for i in range(2):
        label = np.asarray(labels[i], np.float64)
        square = np.zeros(len(label)) if errors is None else np.square(errors[i], dtype=np.float64)
        meant = np.zeros(len(label))
        for one in np.unique(kinds[i]):
            own = kinds[i] == one
            mean[one], variance = label[own].mean(), label[own].var()
            meant[own] = max(variance - square[own].mean(), LEAST * variance) or 1.0
            spread[one] = np.sqrt(meant[own][0])
        noise[i] = (square / meant).mean() if len(label) else 0.0
    return Level(mean, spread, noise, n_species)
