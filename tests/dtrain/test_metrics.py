"""Scores: Pearson correlations, ceilings and masks."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.glass import published
from dtrain.metrics import ceiling, pearson, scored_bonds, scored_particles


def test_pearson_is_that_of_numpy_and_blind_to_scale(rng):
    x, y = rng.normal(size=(2, 50))
    assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-14)
    assert pearson(3 * x - 7, x) == pytest.approx(1.0)


def test_pearson_of_a_constant_is_undefined():
    assert np.isnan(pearson(np.ones(5), np.arange(5)))
    assert np.isnan(pearson(np.ones(1), np.ones(1)))


def test_a_perfect_prediction_reaches_the_ceiling(rng):
    """Labels of reliability 0.8: the truth itself correlates with them as sqrt(0.8)."""
    truth = rng.normal(size=200_000)
    label = truth + rng.normal(size=truth.size) * 0.5
    assert pearson(truth, label) == pytest.approx(ceiling(np.array([1 / 1.25])), abs=0.003)


def test_only_a_particles_and_close_aa_pairs_are_scored():
    species = np.array([0, 0, 1, 0])
    bond = np.array([[0, 1], [0, 2], [1, 3], [0, 3]])
    distance = np.array([1.1, 1.1, 1.34999, 1.35])
    assert scored_particles(species).tolist() == [True, True, False, True]
    assert scored_particles(species, 1).tolist() == [False, False, True, False]
    assert scored_bonds(species, bond, distance).tolist() == [True, False, True, False]


def test_published_figures_are_found_by_temperature_and_time():
    botan, eignn = (published.scores(0.44, 4120.0)[name] for name in ("BOTAN", "EIGNN"))
    assert (round(botan.pearson, 3), round(botan.pooled, 3), botan.n_train) == (0.752, 0.755, 400)
    assert (round(eignn.pearson, 3), round(eignn.pooled, 3), eignn.n_train) == (0.817, 0.818, 100)
    assert round(published.scores(0.5, 217)["SE(3)-GNN"].pearson, 3) == 0.752
    assert published.scores(0.44, 4000.0) == {} and published.times(0.45) == ()


def test_the_pooled_ceiling_was_published_for_one_temperature_and_chi4_for_all():
    assert published.simulated(0.44, 4120).pooled == 0.94328 and published.simulated(0.44, 130000).pooled is None
    for temperature, peak in {0.44: 43.3, 0.50: 23.4, 0.56: 12.7, 0.64: 6.2}.items():
        found = [published.simulated(temperature, time) for time in published.times(temperature)]
        assert round(max(one.chi4 for one in found), 1) == peak
        assert temperature == 0.44 or not any(one.pooled for one in found)
    assert published.simulated(0.45, 4120) is None


@pytest.mark.parametrize("temperature", [0.44, 0.50, 0.56, 0.64])
def test_every_published_row_is_whole(temperature):
    """Models that were trained on 100 configurations do not pass for some of 400."""
    times = published.times(temperature)
    assert len(times) == 10 and list(times) == sorted(times) and published.TAU_ALPHA[temperature] in times
    for time in times:
        found = published.scores(temperature, time)
        assert tuple(found) == published.MODELS and all(
            0 < one.pearson < 1 and one.pooled < 1 for one in found.values()
        )
        assert [one.n_train for one in found.values()] == [400, 100, 400, 400, 100, 100]
        assert all((one.chi4 is None) == model.startswith("EIGNN") for model, one in found.items())


def test_published_figures_are_for_one_system():
    system = {"potential": "kob-andersen", "density": 1.2, "parameters": {}}
    assert published.covers({"system": system})
    assert not published.covers({"system": system | {"density": 1.1}}) and not published.covers({})
