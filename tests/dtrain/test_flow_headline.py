"""The numbers by which networks of flow are compared."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.flow.headline import HEADS, headlines, lines_of, spread
from dtrain.flow.scores import SCORES

FRAMES = np.arange(1.0, 41)


def scores(n_frames: int = 40) -> dict[str, np.ndarray]:
    """Of two cases: the number of the frame, and twice it."""
    found = {name: np.stack([FRAMES, 2 * FRAMES])[:, :n_frames] for name in SCORES}
    return {**found, "correlation": np.where(np.arange(n_frames) < np.array([[15], [30]]), 1.0, 0.5)}


def test_bands_are_means_over_their_frames_counted_from_one():
    found = headlines(scores(), [10.0, np.nan])
    assert list(found) == list(HEADS)
    assert found["vrmse_1"].tolist() == [1, 2] and found["vrmse_6_12"].tolist() == [9, 18]
    assert found["vrmse_13_30"].tolist() == [21.5, 43] and found["nmse_20"].tolist() == [20, 40]
    assert found["divergence_ratio"].tolist() == [20.5, 41]


def test_correlation_is_followed_for_frames_and_for_shedding_periods():
    found = headlines(scores(), [10.0, np.nan])
    assert found["correlation_time"].tolist() == [15, 30]
    assert found["correlation_periods"][0] == 1.5 and np.isnan(found["correlation_periods"][1])
    assert spread(found["correlation_periods"]) == (1.5, 0.0)


def test_a_short_rollout_has_no_number_for_later_frames():
    found = headlines(scores(12), [10.0, 10.0])
    assert np.isfinite(found["vrmse_6_12"]).all() and np.isnan(found["vrmse_13_30"]).all()
    assert np.isnan(spread(found["nmse_20"])).all()


def test_the_table_holds_means_and_their_spread():
    lines = lines_of({"network": headlines(scores(), [10.0, 20.0])})
    assert len(lines) == 3 and "13-30" in lines[0]
    assert lines[1].split()[:3] == ["network", "1.5", "13.5"] and lines[2].split()[:2] == ["±0.5", "±4.5"]
    assert len({len(line) for line in lines}) == 1


def test_the_table_of_one_short_rollout_has_no_spread_and_gaps_where_it_has_no_frames():
    of_one = {name: values[:1] for name, values in headlines(scores(12), [10.0, 10.0]).items()}
    head, line = lines_of({"network": of_one})
    assert line.split()[3] == "-" and "nan" not in line and "±" not in line and len(line) == len(head)


def test_the_spread_is_the_standard_deviation_over_cases():
    assert spread(np.array([1.0, 3.0, np.nan])) == (2.0, pytest.approx(1.0))
