"""Scores of flow fields, on fields whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.flow_metrics import (
    correlation,
    correlation_time,
    divergence,
    energy_by_scale,
    energy_spectrum,
    normalised_error,
    period,
    spectrum_error,
    squared_error,
    variance_error,
    vorticity,
    wake,
)

X, Y = np.meshgrid(np.arange(24.0), np.arange(16.0), indexing="ij")
EVERYWHERE = np.ones(X.shape, bool)


def test_the_mean_of_the_true_field_has_error_1_and_the_field_itself_0(rng):
    field = rng.normal(3, 2, (5, *X.shape))
    means = np.broadcast_to(field.mean(axis=(1, 2), keepdims=True), field.shape)
    assert variance_error(means, field, EVERYWHERE) == pytest.approx(np.ones(5))
    assert variance_error(field, field, EVERYWHERE) == pytest.approx(np.zeros(5))


def test_cells_without_fluid_do_not_count(rng):
    field, other, fluid = rng.normal(size=X.shape), rng.normal(size=X.shape), rng.random(X.shape) > 0.2
    wild = np.where(fluid, other, 1e9)
    for score in (variance_error, correlation):
        assert score(wild, field, fluid) == score(other, field, fluid)


def test_a_uniform_field_has_a_large_but_finite_error_and_no_correlation():
    field = np.full(X.shape, 2.0)
    assert np.isfinite(variance_error(field + 1, field, EVERYWHERE)) and variance_error(field, field, EVERYWHERE) == 0
    assert correlation(field + X, field, EVERYWHERE) == 0


def test_the_normalised_error_is_that_of_cfdbench(rng):
    """One sum over both components above, one below; a tenth too fast everywhere is 0.01."""
    wanted = rng.normal(size=(2, 5, *X.shape)) * np.array([3.0, 0.1]).reshape(2, 1, 1, 1)
    assert normalised_error(1.1 * wanted, wanted, EVERYWHERE) == pytest.approx(np.full(5, 0.01))
    other = wanted + np.array([0.0, 0.2]).reshape(2, 1, 1, 1)
    assert normalised_error(other, wanted, EVERYWHERE)[0] == pytest.approx(
        0.04 * X.size / np.square(wanted[:, 0]).sum()
    )


def test_the_squared_error_is_a_mean_over_components_and_fluid_cells_in_units_that_are_given(rng):
    """Half a unit in one of two components of velocity is 1/8 of a squared unit, whatever the flow itself is."""
    wanted, fluid = rng.normal(size=(2, 5, *X.shape)), rng.random(X.shape) > 0.2
    other = np.where(fluid, wanted + np.array([0.02, 0.0]).reshape(2, 1, 1, 1), 1e9)
    assert squared_error(other, wanted, fluid, 0.04) == pytest.approx(np.full(5, 0.125))
    assert squared_error(wanted, wanted, fluid, 0.04).tolist() == [0.0] * 5


def test_correlation_is_that_of_pearson(rng):
    x, y = rng.normal(size=(2, 3, *X.shape))
    wanted = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(x, y, strict=True)]
    assert correlation(x, y, EVERYWHERE) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("values", "frames"), [([0.9, 0.85, 0.79, 0.9], 2), ([0.9, 0.8], 2), ([0.1], 0), ([0.9, np.nan], 1)]
)
def test_correlation_time_counts_frames_before_the_first_that_falls_below(values, frames):
    assert correlation_time(np.array(values)) == frames


def test_rotation_has_vorticity_and_a_source_divergence():
    rotation, source = np.stack([-0.3 * Y, 0.3 * X]), np.stack([0.2 * X, 0.1 * Y])
    assert vorticity(rotation, EVERYWHERE) == pytest.approx(np.full(X.shape, 0.6))
    assert divergence(rotation, EVERYWHERE) == pytest.approx(0, abs=1e-12)
    assert divergence(source, EVERYWHERE) == pytest.approx(0.3)


def test_walls_are_kept_out_of_the_divergence():
    fluid = np.hypot(X - 10, Y - 8) > 3
    velocity = np.stack([np.where(fluid, 1.0, 0.0), np.zeros(X.shape)])
    assert divergence(velocity, fluid) == 0 < divergence(velocity, EVERYWHERE)


@pytest.mark.parametrize("waves", [2, 4, 6])
def test_the_spectrum_of_a_wave_lies_at_its_wave_number(waves):
    velocity = np.stack([np.cos(2 * np.pi * waves * Y / 16), np.zeros(X.shape)])
    spectrum = energy_spectrum(velocity, EVERYWHERE)
    assert spectrum.shape == (8,) and spectrum.argmax() + 1 == waves
    assert spectrum[waves - 2 : waves + 1].sum() > 0.95 * spectrum.sum()


def test_twice_the_velocity_is_an_error_of_log10_4_at_all_wave_numbers(rng):
    velocity = rng.normal(size=(2, 3, *X.shape))
    one, two = (energy_spectrum(factor * velocity, EVERYWHERE) for factor in (1, 2))
    assert spectrum_error(two, one) == pytest.approx(np.full(3, np.log10(4)))


def test_the_wake_is_the_fluid_behind_the_body():
    distance = 2 * (np.hypot(X - 6, Y - 8) - 2)  # sites; a cell is two of them
    region = wake(distance, cell=2.0)
    assert region[12, 8] and region[-1, 8] and region[12, 4] and region[12, 12]
    assert not region[6, 8] and not region[2, 8] and not region[12, 1] and not region[12, 15]
    assert not wake(distance + 100, cell=2.0).any()


def test_energy_is_told_apart_by_scale():
    """Ten times the energy of the waves that are there, in their band alone."""
    large, small = (np.stack([np.cos(2 * np.pi * waves * Y / 16), 0 * Y]) for waves in (2, 7))
    one, two = (energy_spectrum(large + factor * small, EVERYWHERE) for factor in (1, np.sqrt(10)))
    found = energy_by_scale(two, one)
    assert found["middle"] == pytest.approx(1, abs=0.01) and abs(found["large"]) < 0.01 and np.isnan(found["small"])


@pytest.mark.parametrize("wanted", [7.3, 11.0, 20.4])
def test_a_period_is_found_to_a_hundredth(wanted, rng):
    signal = 3 + 0.2 * np.sin(2 * np.pi * np.arange(160) / wanted + 1) + 0.02 * rng.normal(size=160)
    assert period(signal) == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("signal", [np.ones(50), 1 + 1e-5 * np.sin(np.arange(50)), np.arange(5.0), np.full(50, np.nan)])
def test_what_does_not_oscillate_has_no_period(signal):
    assert np.isnan(period(signal))
