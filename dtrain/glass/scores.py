"""How well predictions agree with simulation: every figure with its standard error over configurations.

A figure that is a mean over configurations has the standard error of that mean; one of all configurations together
(pooled correlation, chi_4) has that of the jackknife, which leaves out one configuration after another.

chi_4 is the variance between configurations, times the number of particles, of the share of particles whose propensity
is below `OVERLAP`: how much whole configurations differ in mobility. A propensity is a mean over replicas, so this is
the part of the four-point susceptibility that the structure decides. Published curves of it (`published`) go to zero at
early and late times as this one does, but do not give their threshold.

Source: B. Efron and C. Stein, Ann. Stat. 9, 586 (1981), doi:10.1214/aos/1176345462 (jackknife); G. Jung et al.,
Roadmap on machine learning glassy dynamics, arXiv:2311.14752 (chi_4 of predicted propensities).
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dtrain.metrics import pearson
from runkit.arguments import numbers
from runkit.arrays import F64, Floats
from runkit.errors import UserError

OVERLAP = 0.3  # particles with less propensity have stayed [sigma]; the threshold of the overlap in the labels
MOST_MOBILE = 0.1  # share of items that are called the most mobile

Pair = tuple[Floats, Floats]  # prediction and simulation of the items of a configuration


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error over configurations, NaN where there are too few of them."""

    value: float
    error: float

    @classmethod
    def mean(cls, each: Sequence[float] | Floats) -> Estimate:
        """The mean of a figure over configurations."""
        values = np.asarray(each, np.float64)
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        return cls(float(values.mean()), float(error))

    @classmethod
    def jackknife(cls, value: float, without: Sequence[float] | Floats) -> Estimate:
        """A figure of all configurations, and the same `without` each of them."""
        left, n = np.asarray(without, np.float64), len(without)
        error = np.sqrt((n - 1) / n * np.square(left - left.mean()).sum()) if n > 1 else np.nan
        return cls(float(value), float(error))


@dataclass(frozen=True)
class Score:
    """Agreement over configurations at one time.

    `pearson`, `spearman`: correlation, and that of ranks, within a configuration; `pooled`: over all items together.
    `slope`: of the line that gives the simulation for a prediction, within a configuration: 1 is calibrated, less says
    that predictions spread too much. `top`: share of the most mobile tenth that the predicted one has found (by chance
    0.1). `bias`: prediction minus simulation of a configuration's mean; `mean_error`: its absolute value [sigma].
    `chi4`, `chi4_simulated`: of particles, None for bonds. `each` are the correlations within a configuration.
    """

    pearson: Estimate
    pooled: Estimate
    spearman: Estimate
    slope: Estimate
    top: Estimate
    bias: Estimate
    mean_error: Estimate
    chi4: Estimate | None
    chi4_simulated: Estimate | None
    each: tuple[float, ...]

    @property
    def n_samples(self) -> int:
        """Number of configurations."""
        return len(self.each)


FIGURES = ("pearson", "pooled", "spearman", "slope", "top", "bias", "mean_error", "chi4", "chi4_simulated")


def score(predicted: Sequence[ArrayLike], simulated: Sequence[ArrayLike], has_chi4: bool = False) -> Score:
    """The score of one array of predictions per configuration; configurations may differ in length.

    `has_chi4` says that the items are particles with a propensity, which have a susceptibility. What is not defined is
    NaN, such as the standard error of a single configuration. Raises UserError for what is no such pair of lists.
    """
    if not (_are_rows(predicted) and _are_rows(simulated) and len(predicted) == len(simulated) > 0):
        raise UserError("predicted, simulated: two lists with an array for each configuration are needed")
    guesses = [numbers("predicted", x).ravel() for x in predicted]
    pairs = [(x, numbers("simulated", y).ravel()) for x, y in zip(guesses, simulated, strict=True)]
    each = [pearson(x, y) for x, y in pairs]
    with np.errstate(over="ignore", invalid="ignore"):
        bias = np.array([np.mean(x - y) for x, y in pairs])
    return Score(
        pearson=Estimate.mean(each),
        pooled=pooled(pairs),
        spearman=Estimate.mean([spearman(x, y) for x, y in pairs]),
        slope=Estimate.mean([slope(x, y) for x, y in pairs]),
        top=Estimate.mean([found_of_most_mobile(x, y) for x, y in pairs]),
        bias=Estimate.mean(bias),
        mean_error=Estimate.mean(np.abs(bias)),
        chi4=chi4([x for x, _ in pairs]) if has_chi4 else None,
        chi4_simulated=chi4([y for _, y in pairs]) if has_chi4 else None,
        each=tuple(each),
    )


def spearman(x: F64, y: F64) -> float:
    """Correlation of ranks, equal values having their mean rank; NaN as for `pearson`."""
    from scipy.stats import rankdata  # slow to load; who predicts needs no ranks

    if not _can_be_ranked(x, y):
        return float("nan")
    return pearson(rankdata(x), rankdata(y))


def slope(predicted: F64, simulated: F64) -> float:
    """Slope of the least-squares line simulated = a + slope * predicted; NaN if predictions do not vary."""
    if not _can_be_ranked(predicted, simulated):
        return float("nan")
    away = predicted - predicted.mean()
    return float(away @ simulated / (away @ away))


def found_of_most_mobile(predicted: F64, simulated: F64) -> float:
    """Share of the most mobile tenth that is among the tenth predicted as such; NaN if predictions do not vary."""
    if not _can_be_ranked(predicted, simulated):
        return float("nan")
    n_top = max(1, round(MOST_MOBILE * len(predicted)))
    first, second = (np.argsort(-values, kind="stable")[:n_top] for values in (predicted, simulated))
    return len(np.intersect1d(first, second)) / n_top


def pooled(pairs: Sequence[tuple[F64, F64]]) -> Estimate:
    """Pearson correlation over the items of all configurations together."""
    together = [np.concatenate(arrays) for arrays in zip(*pairs, strict=True)]
    if not all(np.isfinite(values).all() for values in together):
        return Estimate(float("nan"), float("nan"))
    centre_x, centre_y = (values.mean() for values in together)
    # Sums of each configuration about the common means: what is left without one of them is a difference of sums.
    sums = np.array([_sums(x - centre_x, y - centre_y) for x, y in pairs])
    return Estimate.jackknife(pearson(*together), [_correlation(sums.sum(axis=0) - own) for own in sums])


def chi4(propensities: Sequence[Floats]) -> Estimate:
    """Susceptibility of configurations [n_particles], see above; NaN of fewer than two."""
    stayed = np.array([np.mean(values < OVERLAP) for values in propensities])
    n_particles = float(np.mean([len(values) for values in propensities]))
    without = [_variance(np.delete(stayed, k)) for k in range(len(stayed))]
    return Estimate.jackknife(n_particles * _variance(stayed), n_particles * np.array(without))


def peak(times: Floats, curve: Sequence[Estimate]) -> tuple[float, Estimate] | None:
    """The time at which a susceptibility is largest, and its value; None where none is known."""
    values = np.array([one.value for one in curve])
    if not np.isfinite(values).any():
        return None
    k = int(np.nanargmax(values))
    return float(times[k]), curve[k]


def _are_rows(arrays: object) -> bool:
    is_list = isinstance(arrays, Sequence) and not isinstance(arrays, (str, bytes))
    return is_list or (isinstance(arrays, np.ndarray) and arrays.ndim > 0)


def _can_be_ranked(x: F64, y: F64) -> bool:
    """Whether predictions `x` vary and all numbers are finite."""
    return bool(x.size and x.shape == y.shape and np.isfinite(x).all() and np.isfinite(y).all() and x.min() < x.max())


def _variance(values: F64) -> float:
    return float(np.var(values, ddof=1)) if len(values) > 1 else float("nan")


def _sums(x: F64, y: F64) -> list[float]:
    return [float(one) for one in (len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y)]


def _correlation(sums: F64) -> float:
    n, x, y, xx, yy, xy = sums.tolist()
    scale = (xx - x * x / n) * (yy - y * y / n) if n else 0.0
    return float((xy - x * y / n) / np.sqrt(scale)) if scale > 0 else float("nan")
