"""Networks that are solved instead of trained: linear in their weights, by ridge regression.

Sums over the training samples determine the regressions for every penalty; they are made in shares over the processes.
The penalty of each regression is the one that predicts the validation samples best. It acts on weights of descriptors
as they are, whose spread says how far they are trusted, and on all others in units of their spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from dtrain.data import AnyDataSet
from dtrain.metrics import pearson
from dtrain.models.linear import Regression
from runkit.arrays import F64, Floats
from runkit.errors import UserError
from runkit.mpi import World
from runkit.progress import Progress

PENALTIES = (1e0, 1e1, 3e1, 1e2, 3e2, 1e3, 3e3, 1e4)
WITHOUT_VALIDATION = 1e2
ROWS = 64  # that are added at once, so that they stay in the cache
FEWEST = 3  # scored items of a validation sample that a correlation is taken over


@runtime_checkable
class Solved(Protocol):
    """A network whose weights are solutions of regressions, by name (see `dtrain.models.linear`)."""

    def regressions(self, inputs: tuple[Tensor, ...], /, *terms: Any) -> Iterator[tuple[str, Regression]]:
        """The items of each regression in a batch of one sample; a network names the terms that it takes
        (`Graphs.terms`)."""

    def set_weights(self, name: str, weights: Tensor, offset: float, /) -> None:
        """Take over a solution."""


@dataclass
class Sums:
    """Weighted sums over items that determine every ridge regression on them; those of parts add up."""

    count: float
    x: F64
    y: float
    xx: F64
    xy: F64
    n_trusted: int

    @classmethod
    def of(cls, features: Floats, target: Floats, n_trusted: int, weight: float = 1.0) -> Sums:
        """Of features [n, m] and targets [n], each with this weight."""
        found = cls.none(features.shape[1], n_trusted)
        found.include(Products.of(features), target, weight)
        return found

    @classmethod
    def none(cls, n_features: int, n_trusted: int) -> Sums:
        """Of no items."""
        return cls(0.0, np.zeros(n_features), 0.0, np.zeros((n_features, n_features)), np.zeros(n_features), n_trusted)

    def include(self, products: Products, target: Floats, weight: float) -> None:
        """Add items with targets [n], each with this weight, in place: new arrays would take longer than their sums."""
        y = target.astype(np.float64)
        self.count += weight * len(y)
        self.x += weight * products.x
        self.y += weight * float(y.sum())
        self.xy += weight * (products.features.T @ y)
        for first in range(0, len(self.xx), ROWS):
            rows = slice(first, first + ROWS)
            self.xx[rows] += weight * products.xx[rows]

    def __add__(self, other: Sums) -> Sums:
        a, b = self, other
        return Sums(a.count + b.count, a.x + b.x, a.y + b.y, a.xx + b.xx, a.xy + b.xy, a.n_trusted)

    def solve(self, penalty: float) -> tuple[F64, float]:
        """Weights [m] and offset with the least squared error plus `penalty` times the squared weights."""
        mean, offset = self.x / self.count, self.y / self.count
        covariance = self.xx - self.count * np.outer(mean, mean)
        spread = np.sqrt(np.maximum(covariance.diagonal(), 0) / self.count)
        unit = np.where(np.arange(len(mean)) < self.n_trusted, 1.0, spread)
        varies = spread > 1e-6 * (1 + np.abs(mean))  # a column that is constant gets no say
        unit = np.where(varies, unit, np.inf)
        scaled = covariance / np.outer(unit, unit) + penalty * np.eye(len(mean))
        weights: F64 = np.linalg.solve(scaled, (self.xy - self.x * offset) / unit) / unit
        return weights, float(offset - weights @ mean)


@dataclass(frozen=True)
class Products:
    """What sums over items take of their features [n, m] alone: regressions of many targets share it."""

    features: F64
    x: F64
    xx: F64

    @classmethod
    def of(cls, features: Floats) -> Products:
        """Of features [n, m]."""
        # In double precision: a column may vary far less within the samples than its mean is large.
        x = features.astype(np.float64)
        return cls(x, x.sum(axis=0), x.T @ x)


def solve(world: World, network: Solved, data: AnyDataSet, title: str) -> None:
    """Give a network the solutions of all its regressions on the training samples; collective."""
    train, held_back = data.split["train"], data.split["validation"]
    mine = [train[i] for i in world.share(len(train))]
    sums: dict[str, Sums] = {}
    with Progress(world, len(mine), "samples", title) as progress:
        for sample in mine:
            include(sums, network, data, sample)
            progress.advance()
    choose(world, network, data, reduce(add, world.all_gather(sums)), held_back)


def include(sums: dict[str, Sums], network: Solved, data: AnyDataSet, sample: int) -> None:
    """Add the items of a sample to sums by regression."""
    features, products = None, None
    for name, one in _regressions(network, data, sample):
        if products is None or one.features is not features:  # all times have the same
            features, products = one.features, Products.of(one.features.numpy())
        if name not in sums:
            sums[name] = Sums.none(one.features.shape[1], one.n_trusted)
        sums[name].include(products, one.target.numpy(), one.weight)


def choose(world: World, network: Solved, data: AnyDataSet, total: dict[str, Sums], held_back: Sequence[int]) -> None:
    """Give a network the solutions of all regressions, each by the penalty that suits `held_back` best; collective."""
    names = _in_even_shares(total, world.size)
    solved = world.each(lambda i: [total[names[i]].solve(penalty) for penalty in PENALTIES], len(names))
    solutions = dict(zip(names, solved, strict=True))
    scores = world.each(lambda i: _scores(network, data, held_back[i], solutions), len(held_back))
    for name, known in solutions.items():
        found = [score[name] for score in scores if name in score]
        # Of penalties that differ by rounding alone, as those of a single feature do, the weakest.
        best = int(np.argmax(np.mean(found, axis=0).round(9))) if found else PENALTIES.index(WITHOUT_VALIDATION)
        weights, offset = known[best]
        network.set_weights(name, torch.from_numpy(weights.astype(np.float32)), offset)


def _in_even_shares(total: Mapping[str, Sums], n_shares: int) -> list[str]:
    """The regressions in an order whose contiguous shares take as long as each other: large ones are dealt out."""
    largest_first = sorted(total, key=lambda name: -len(total[name].x))
    return [name for first in range(n_shares) for name in largest_first[first::n_shares]]


def _regressions(network: Solved, data: AnyDataSet, sample: int) -> Iterator[tuple[str, Regression]]:
    """The items of a sample by regression."""
    batch = data.batch([sample])
    if not hasattr(batch, "targets"):
        raise UserError(
            f"data.name = {data.options.name!r}: a network that is solved needs data of particles and pairs"
        )
    return network.regressions(data.inputs(batch), *batch.terms)


def _scores(
    network: Solved, data: AnyDataSet, sample: int, solutions: Mapping[str, Sequence[tuple[F64, float]]]
) -> dict[str, F64]:
    """Correlations [n_penalties] of each regression in a validation sample, over scored items if there are some."""
    scores = {}
    for name, one in _regressions(network, data, sample):
        if name in solutions:
            features, target, is_scored = one.features.numpy(), one.target.numpy(), one.is_scored.numpy()
            if is_scored.sum() >= FEWEST:
                features, target = features[is_scored], target[is_scored]
            each = [pearson(features @ weights + offset, target) for weights, offset in solutions[name]]
            scores[name] = np.nan_to_num(np.array(each), nan=-1.0)
    return scores


def add(a: dict[str, Sums], b: dict[str, Sums]) -> dict[str, Sums]:
    """The sums of two parts of the training samples."""
    return {name: a[name] + b[name] if name in a and name in b else a.get(name) or b[name] for name in {**a, **b}}
