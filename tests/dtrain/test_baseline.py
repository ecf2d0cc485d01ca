"""The ridge baseline and its descriptors."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.glass.baseline import BOND, Baseline, Moments, add, best_ridge
from dtrain.glass.descriptors import FARTHEST, N_RADII, NEAREST, WIDTH, particle_features
from dtrain.metrics import pearson
from runkit.dataset.reader import Dataset


@pytest.fixture
def liquid(rng):
    """Position, species and box of 300 random particles."""
    return rng.uniform(0, 7.0, (300, 3)), rng.integers(0, 2, 300), np.full(3, 7.0)


def test_radial_density_is_the_sum_over_all_images(liquid):
    position, species, box = liquid
    feature = particle_features(position, species, box, 2)
    vector = position - position[7]
    distance = np.linalg.norm(vector - np.round(vector / box) * box, axis=1)
    radii = np.linspace(NEAREST, FARTHEST, N_RADII)
    for one in range(2):
        near = distance[(species == one) & (np.arange(300) != 7)]
        expected = np.exp(-((near[:, None] - radii) ** 2) / (2 * WIDTH**2)).sum(axis=0)
        assert feature[7, one * N_RADII : (one + 1) * N_RADII] == pytest.approx(expected, abs=1e-4)


def test_features_do_not_change_when_all_is_turned_shifted_or_renumbered(liquid, rng):
    position, species, box = liquid
    feature = particle_features(position, species, box, 2)
    turned = position[:, [2, 0, 1]] * [1, -1, 1] + rng.normal(size=3) * 10
    assert particle_features(turned, species, box, 2) == pytest.approx(feature, abs=1e-9)
    order = rng.permutation(300)
    assert particle_features(position[order], species[order], box, 2) == pytest.approx(feature[order], abs=1e-9)


def test_ridge_is_the_minimum_of_its_cost(rng):
    """Against the normal equations of standardised features, written out."""
    x, y = rng.normal(size=(60, 4)) * [1, 10, 0.1, 1] + 5, rng.normal(size=60)
    ridge = Moments.of(x, y).ridge(3.0)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    weight = np.linalg.solve(z.T @ z + 3.0 * np.eye(4), z.T @ (y - y.mean()))
    assert ridge.predict(x) == pytest.approx(z @ weight + y.mean(), abs=1e-9)


def test_moments_of_parts_add_up(rng):
    x, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    parts = add({0: Moments.of(x[:20], y[:20])}, add({}, {0: Moments.of(x[20:], y[20:])}))[0]
    assert parts.ridge(1.0).predict(x) == pytest.approx(Moments.of(x, y).ridge(1.0).predict(x), abs=1e-12)


def test_a_constant_feature_has_no_say(rng):
    x, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    with_constant = np.column_stack([x, np.full(30, 7.0)])
    ridge = Moments.of(with_constant, y).ridge(1.0)
    assert ridge.predict(with_constant) == pytest.approx(Moments.of(x, y).ridge(1.0).predict(x), abs=1e-9)


def test_validation_chooses_the_penalty(rng):
    """Where features are noise, the strongest penalty predicts unseen items best."""
    x, y = rng.normal(size=(40, 30)), rng.normal(size=40)
    x[:, 0] = y + rng.normal(size=40) * 0.3
    held = rng.normal(size=(2000, 30))
    target = held[:, 0].copy()
    chosen = best_ridge(Moments.of(x, y), [(held, target)])
    assert pearson(chosen.predict(held), target) >= pearson(Moments.of(x, y).ridge(0.1).predict(held), target)


@pytest.mark.parametrize("positions", ["thermal", "inherent"])
def test_baseline_learns_what_neighbours_tell(isoconfig, positions):
    """In the made-up ensembles jumps are longer where neighbours are few."""
    with Dataset(isoconfig) as data:
        baseline = Baseline(data, 1, positions)
        baseline.fit(add(baseline.moments([0, 1, 2]), baseline.moments([3, 4, 5, 6])), [7])
        propensity, change = baseline.predict(9)
        is_a = data["species"][9] == 0
        assert pearson(propensity[is_a], data["propensity"][9, 1][is_a]) > 0.5
        assert np.isfinite(propensity).all() and len(change) == data["n_bonds"][9]
        assert BOND in baseline.moments([0]) and 0 < np.isfinite(change).sum() < len(change)
