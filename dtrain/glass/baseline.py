"""A sanity baseline: ridge regression of mobility on simple local descriptors, solved in closed form.

Whatever is trained should beat it; what does not has learnt composition and density. Descriptors are taken from thermal
or from inherent positions: how much the same regression gains from the latter is the thermal noise of the structure.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dtrain.glass.descriptors import bond_features, pair_distance, particle_features
from dtrain.metrics import pearson, scored_bonds
from runkit.arrays import F64, Bools, Floats, Ints
from runkit.dataset.reader import Dataset

PENALTIES = (1e-1, 1e0, 1e1, 1e2, 1e3, 1e4)
BOND = "bond"  # the regression of bonds, beside those of species 0, 1, …

Items = dict[int | str, tuple[Floats, Floats]]  # regression -> features [n, n_features], targets [n]


@dataclass(frozen=True)
class Ridge:
    """A linear map of standardised features: `predict(x)` is `(x - mean) / scale @ weight + offset`."""

    mean: Floats
    scale: Floats
    weight: Floats
    offset: float

    def predict(self, features: Floats) -> Floats:
        """Predictions [n] for features [n, n_features]."""
        return (features - self.mean) / self.scale @ self.weight + self.offset


@dataclass(frozen=True)
class Moments:
    """Sums over training items that determine every ridge regression on them; those of parts add up."""

    count: int
    x: Floats
    y: float
    xx: Floats
    xy: Floats

    @classmethod
    def of(cls, features: Floats, target: Floats) -> Moments:
        """Of features [n, n_features] and targets [n]."""
        y = target.astype(np.float64)
        return cls(len(y), features.sum(axis=0), float(y.sum()), features.T @ features, features.T @ y)

    def __add__(self, other: Moments) -> Moments:
        mine, theirs = vars(self).values(), vars(other).values()
        return Moments(*(a + b for a, b in zip(mine, theirs, strict=True)))

    def ridge(self, penalty: float) -> Ridge:
        """The regression with least squared error plus `penalty` times the squared weights of standardised features."""
        mean, offset = self.x / self.count, self.y / self.count
        covariance = self.xx - self.count * np.outer(mean, mean)
        scale = np.sqrt(np.maximum(covariance.diagonal(), 0) / self.count)
        scale = np.where(scale > 1e-6 * (1 + np.abs(mean)), scale, np.inf)  # a constant feature gets no say
        covariance = covariance / np.outer(scale, scale) + penalty * np.eye(len(mean))
        weight = np.linalg.solve(covariance, (self.xy - self.x * offset) / scale)
        return Ridge(mean, scale, weight, offset)


def best_ridge(moments: Moments, validation: Sequence[tuple[Floats, Floats]]) -> Ridge:
    """The regression whose penalty serves `validation` best: (features, targets) of each of its configurations.

    Without validation, the one with the middle penalty.
    """
    if not validation:
        return moments.ridge(PENALTIES[len(PENALTIES) // 2])

    def quality(ridge: Ridge) -> float:
        return float(np.nan_to_num(np.mean([pearson(ridge.predict(x), y) for x, y in validation]), nan=-1.0))

    return max((moments.ridge(penalty) for penalty in PENALTIES), key=quality)


class Baseline:
    """The ridge regressions of one ISOCONFIG file at one time: particles of each species, and scored bonds.

    Training sums are made by `moments` for parts of the training samples, added up, and given to `fit`.
    """

    def __init__(self, dataset: Dataset, i_time: int, positions: Literal["thermal", "inherent"]) -> None:
        self.dataset, self.i_time = dataset, i_time
        self._position = {"thermal": "initial_position", "inherent": "inherent_position"}[positions]
        self._n_species = dataset.sizes["species"]
        self._ridges: dict[int | str, Ridge] = {}

    def moments(self, samples: Sequence[int]) -> dict[int | str, Moments]:
        """The training sums of `samples` by regression; {} of none."""
        total: dict[int | str, Moments] = {}
        for sample in samples:
            total = add({name: Moments.of(*items) for name, items in self._items(sample).items()}, total)
        return total

    def fit(self, moments: dict[int | str, Moments], validation: Sequence[int]) -> None:
        """Solve every regression; `validation` are the samples that choose the penalty."""
        held_back = [self._items(sample) for sample in validation]
        for name, sums in moments.items():
            self._ridges[name] = best_ridge(sums, [items[name] for items in held_back if name in items])

    def predict(self, sample: int) -> tuple[Floats, Floats]:
        """Propensity [n_particles] and bond change [n_bonds] of a sample; NaN for bonds that are not scored."""
        feature, species, bond_mask, bond = self._features(sample)
        propensity, change = np.full(len(species), np.nan), np.full(len(bond_mask), np.nan)
        for name, ridge in self._ridges.items():
            if name == BOND:
                change[bond_mask] = ridge.predict(bond)
            else:
                propensity[species == name] = ridge.predict(feature[species == name])
        return propensity, change

    def _items(self, sample: int) -> Items:
        feature, species, bond_mask, bond = self._features(sample)
        propensity = self.dataset["propensity"][sample, self.i_time]
        items: Items = {
            one: (feature[species == one], propensity[species == one])
            for one in range(self._n_species)
            if (species == one).any()
        }
        if "bond_change" in self.dataset and bond_mask.any():
            items[BOND] = (bond, self.dataset["bond_change"][sample, self.i_time, : len(bond_mask)][bond_mask])
        return items

    def _features(self, sample: int) -> tuple[F64, Ints, Bools, Floats]:
        """Features of particles, species, which bonds are scored, and features of these."""
        species, box = self.dataset["species"][sample], self.dataset["box"][sample]
        position = self.dataset[self._position][sample]
        pairs = self.dataset["bond"][sample, : int(self.dataset["n_bonds"][sample])]
        mask = scored_bonds(species, pairs, pair_distance(self.dataset["initial_position"][sample], pairs, box))
        feature = particle_features(position, species, box, self._n_species)
        return feature, species, mask, bond_features(feature, pairs[mask], pair_distance(position, pairs[mask], box))


def add(a: dict[int | str, Moments], b: dict[int | str, Moments]) -> dict[int | str, Moments]:
    """The sums of two parts of the training samples."""
    return {name: a[name] + b[name] if name in a and name in b else a.get(name) or b[name] for name in a | b}
