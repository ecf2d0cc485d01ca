"""Scores of glass, computed again by NumPy and SciPy from the same predictions."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import scipy.stats

from dtrain.glass.scores import FIGURES, OVERLAP, Estimate, Score, chi4, peak
from dtrain.glass.scores import score as score_of


@pytest.fixture
def pairs(rng) -> list[tuple[np.ndarray, np.ndarray]]:
    """Six configurations of unequal size and mobility; predictions see half of it and too much noise."""
    found = []
    for n, shift in zip((300, 250, 400, 320, 280, 350), rng.normal(size=6), strict=True):
        truth = np.exp(0.3 * rng.normal(size=n) + 0.2 * shift) * 0.3
        found.append((0.05 + truth + 0.1 * rng.normal(size=n) - 0.02 * shift, truth))
    return found


def score(pairs: list, has_chi4: bool = False) -> Score:
    return score_of(*zip(*pairs, strict=True), has_chi4)


def _error(values: list[float]) -> float:
    return float(scipy.stats.sem(values))


def test_means_over_configurations_are_those_of_scipy(pairs):
    """Pearson, Spearman and the slope of the line, with standard errors of the mean."""
    found = score(pairs, True)
    for name, function in {
        "pearson": lambda x, y: scipy.stats.pearsonr(x, y)[0],
        "spearman": lambda x, y: scipy.stats.spearmanr(x, y)[0],
        "slope": lambda x, y: scipy.stats.linregress(x, y).slope,
    }.items():
        each = [function(*pair) for pair in pairs]
        assert getattr(found, name).value == pytest.approx(np.mean(each), abs=1e-12), name
        assert getattr(found, name).error == pytest.approx(_error(each), abs=1e-12), name
    assert found.each == pytest.approx([scipy.stats.pearsonr(*pair)[0] for pair in pairs])


def test_the_most_mobile_tenth_is_found_as_sets_say(pairs):
    each = []
    for x, y in pairs:
        n_top = round(0.1 * len(x))
        first, second = (set(np.argpartition(values, -n_top)[-n_top:].tolist()) for values in (x, y))
        each.append(len(first & second) / n_top)
    found = score(pairs).top
    assert found.value == pytest.approx(np.mean(each)) and found.error == pytest.approx(_error(each))
    assert score([(y, y) for _, y in pairs]).top == Estimate(1.0, 0.0)


def test_chance_finds_a_tenth_of_the_most_mobile(rng):
    """Predictions that know nothing."""
    found = score([tuple(rng.normal(size=(2, 2000))) for _ in range(50)]).top
    assert found.value == pytest.approx(0.1, abs=4 * found.error) and found.error < 0.01


def test_means_of_configurations_have_bias_and_error(pairs):
    each = [np.mean(x) - np.mean(y) for x, y in pairs]
    found = score(pairs)
    assert found.bias.value == pytest.approx(np.mean(each)) and found.bias.error == pytest.approx(_error(each))
    assert found.mean_error.value == pytest.approx(np.mean(np.abs(each)))
    assert found.mean_error.error == pytest.approx(_error(np.abs(each)))


def test_pooled_correlation_is_that_of_all_items_and_its_error_the_jackknife(pairs):
    """Left out are whole configurations, whose items are not independent."""

    def pooled(some: list) -> float:
        return scipy.stats.pearsonr(*(np.concatenate(arrays) for arrays in zip(*some, strict=True)))[0]

    without = [pooled(pairs[:k] + pairs[k + 1 :]) for k in range(len(pairs))]
    found = score(pairs).pooled
    assert found.value == pytest.approx(pooled(pairs), abs=1e-12)
    assert found.error == pytest.approx(np.sqrt(5 / 6 * np.sum((without - np.mean(without)) ** 2)), abs=1e-10)


def test_susceptibility_is_the_variance_of_who_stayed(pairs):
    """Of the prediction and of the simulation, by the definition; bonds have none."""
    found = score(pairs, True)
    for k, one in enumerate((found.chi4, found.chi4_simulated)):
        stayed = np.array([(pair[k] < OVERLAP).mean() for pair in pairs])
        size = np.mean([len(pair[k]) for pair in pairs])
        without = np.array([size * np.delete(stayed, i).var(ddof=1) for i in range(6)])
        assert one.value == pytest.approx(size * stayed.var(ddof=1))
        assert one.error == pytest.approx(np.sqrt(5 / 6 * np.sum((without - without.mean()) ** 2)))
    assert score(pairs).chi4 is None and score(pairs).chi4_simulated is None


def test_jackknife_errors_are_those_of_many_experiments(rng):
    """What 12 configurations say of their own error is what 400 such experiments scatter by."""

    def experiment() -> list[tuple[np.ndarray, np.ndarray]]:
        shift = rng.normal(size=12)
        truth = [0.3 + 0.1 * rng.normal(size=60) + 0.05 * one for one in shift]
        return [(values + 0.1 * rng.normal(size=60), values) for values in truth]

    found = [score(experiment(), True) for _ in range(400)]
    for name in ("pooled", "chi4_simulated"):
        values, errors = np.array([[getattr(one, name).value, getattr(one, name).error] for one in found]).T
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.25), name


def test_independent_particles_have_the_susceptibility_of_a_coin(rng):
    """N times the variance of a mean of N coins is p (1 - p)."""
    found = chi4([rng.uniform(0, 0.6, size=1000) for _ in range(4000)])
    assert found.value == pytest.approx(0.25, abs=4 * found.error) and found.error < 0.01


def test_the_peak_is_where_the_curve_is_largest():
    curve = [Estimate(value, 0.1) for value in (0.5, np.nan, 3.0, 1.0)]
    assert peak(np.array([1.0, 2.0, 4.0, 8.0]), curve) == (4.0, Estimate(3.0, 0.1))
    assert peak(np.array([1.0]), [Estimate(np.nan, np.nan)]) is None


def test_mean_and_pooled_rank_differently(rng):
    """Two configurations whose means differ by much: each correlates by its own noise, pooled by the difference."""
    truth = [rng.normal(size=400), rng.normal(size=400) + 50]
    result = score([(truth[0] + rng.normal(size=400), truth[0]), (truth[1] + rng.normal(size=400) + 2.0, truth[1])])
    assert result.pearson.value == pytest.approx(np.sqrt(0.5), abs=0.1) and result.n_samples == 2
    assert result.pooled.value > 0.99 > result.pearson.value
    assert result.bias.value == pytest.approx(1.0, abs=0.2)


def test_what_is_not_defined_is_no_number():
    """One sample has no error and no susceptibility, a constant prediction no correlation, slope or ranking."""
    lone = score([(np.ones(5), np.arange(5.0))], True)
    assert all(np.isnan(getattr(lone, name).error) for name in FIGURES)
    assert all(np.isnan(getattr(lone, name).value) for name in FIGURES if name not in ("bias", "mean_error"))
    assert lone.bias.value == -1.0 and lone.mean_error.value == 1.0


def test_every_figure_of_a_score_is_reported():
    assert {field.name for field in fields(Score)} == {*FIGURES, "each"}
