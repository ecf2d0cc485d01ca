"""Rollouts without end: statistics gathered on the way, on signals and flows whose statistics are known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dtrain import evaluate
from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.flow.long import BOUND, LongRollouts
from dtrain.flow.statistics import Statistics, Welch
from dtrain.flow_metrics import energy_spectrum
from dtrain.weights import Trained, load_model
from runkit.mpi import SerialWorld
from tests.dtrain.conftest import TINY_FLOW, on_two, settings_of, trained_here
from tests.flow_factory import write_flow

FLUID = np.ones((12, 8), bool)
FLUID[3, 4] = False
NOWHERE = np.zeros_like(FLUID)


def frames_of(rng: np.random.Generator, n: int) -> np.ndarray:
    """Density 1 and a velocity that swings with a period of 9.3 frames around a mean field."""
    swing = np.sin(2 * np.pi * np.arange(n) / 9.3)[:, None, None] * (1 + rng.random((2, 1, *FLUID.shape)))
    velocity = rng.random((2, 1, *FLUID.shape)) + 0.1 * swing
    return np.concatenate([np.ones((1, n, *FLUID.shape)), velocity]).astype(np.float32)


def gathered(frames: np.ndarray, cuts: list[int], **options) -> Statistics:
    found = Statistics(FLUID, NOWHERE, frames.shape[1], segment=128, **options)
    for part in np.split(frames, cuts, axis=1):
        found.add(part)
    return found


def test_statistics_are_those_of_all_frames_at_once(rng):
    frames = frames_of(rng, 400)
    summary = gathered(frames, [1, 4, 77, 300]).summary()
    velocity = frames[1:].astype(np.float64)
    np.testing.assert_allclose(summary.mean, velocity.mean(axis=1))
    np.testing.assert_allclose(summary.rms, velocity.std(axis=1), rtol=1e-6)
    np.testing.assert_allclose(summary.spectrum, energy_spectrum(velocity, FLUID).mean(axis=0))
    lift = velocity[1][:, FLUID].sum(axis=1)
    assert summary.lift_rms == pytest.approx(lift.std()) and summary.n_frames == 400
    assert summary.period == pytest.approx(9.3, rel=0.01)
    assert summary.largest == pytest.approx(np.hypot(*velocity[:, :, FLUID]).max())
    assert summary.fluctuation(FLUID) == pytest.approx(0.5 * velocity.var(axis=1)[:, FLUID].sum(axis=0).mean())


def test_the_curve_holds_means_over_stretches_of_time(rng):
    frames = frames_of(rng, 300)
    summary = gathered(frames, [5, 8]).summary()
    variance = frames[1:][:, :, FLUID].astype(np.float64).var(axis=-1).sum(axis=0)
    ends = summary.ends.astype(int)
    assert ends[0] == 1 and ends[-1] == 300 and (np.diff(ends) > 0).all()
    wanted = [variance[a:b].mean() for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    np.testing.assert_allclose(summary.curve, wanted)


def test_one_of_three_frames_counts_for_what_is_dear_wherever_the_frames_are_cut(rng):
    frames = frames_of(rng, 99)
    found = [gathered(frames, cuts, stride=3).summary() for cuts in ([], [1, 2, 5, 50])]
    np.testing.assert_allclose(found[1].mean, found[0].mean)
    frames[1:] = (np.arange(99) // 3)[:, None, None]  # the same in all three
    np.testing.assert_allclose(gathered(frames, [7], stride=3).summary().mean, np.arange(33).mean())


@pytest.mark.parametrize("period", [3, 7, 21])
def test_a_cycle_whose_period_divides_the_stretches_is_not_taken_for_a_steady_flow(rng, period):
    frames = frames_of(rng, 4200)
    frames[1:] = np.cos(2 * np.pi * np.arange(4200) / period)[:, None, None]
    summary = gathered(frames, [1000], stride=21).summary()
    np.testing.assert_allclose(summary.rms, np.sqrt(0.5), rtol=0.02)
    np.testing.assert_allclose(summary.mean, 0, atol=0.02)


def test_memory_does_not_grow_with_the_number_of_frames(rng):
    frames = frames_of(rng, 64)
    found = Statistics(FLUID, NOWHERE, 10**6, segment=128, stride=3)
    sizes = []
    for _ in range(40):
        found.add(frames)
        sizes.append(len(found._welch._kept))
    assert max(sizes) < 128 and found.summary().n_frames == 40 * 64


@pytest.mark.parametrize("cuts", [[], [10, 100, 130], list(range(1, 500))])
def test_welch_finds_a_period_however_the_signal_comes(cuts, rng):
    signal = 5 + np.cos(2 * np.pi * np.arange(500) / 12.7) + 0.3 * rng.normal(size=500)
    welch = Welch(128)
    for part in np.split(signal, cuts):
        welch.add(part)
    assert welch.n_segments == 6 and welch.period == pytest.approx(12.7, rel=0.01)


@pytest.mark.parametrize("segment", [1, 2, 3])
def test_a_segment_too_short_for_a_period_comes_to_an_end(segment):
    welch = Welch(segment)
    welch.add(np.arange(10.0))
    assert welch.n_segments > 0 and np.isnan(welch.period)


class Repeats(torch.nn.Module):
    """Gives the frames that it was given, times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x[:, :3] * self.factor,)


@pytest.fixture(scope="module")
def run(tmp_path_factory, flow_file):
    """A trained network, and a longer file of the same flows."""
    folder = tmp_path_factory.mktemp("long")
    recipe = TINY_FLOW + "\n[phase.frames]\nepochs = 1\nlearning_rate = 1e-3\n"
    write_flow(folder / "more.h5", n_cases=6, n_frames=60, seed=5)  # two groups of cases, one with two left over
    return trained_here(folder, *settings_of(folder, recipe, flow_file))


def long_rollouts(run, factor: float, start: int = 0) -> LongRollouts:
    trained: Trained = replace(load_model(run), network=Repeats(factor))
    options = FlowOptions(file=str(run.parent.parent / "more.h5"), split={"train": 1, "validation": 1, "test": 1})
    data = Flow(options, normalisation=trained.normalisation)
    return LongRollouts(trained, data, [0, 2], start)


def test_a_flow_that_repeats_has_the_statistics_of_what_is_repeated(run):
    found = long_rollouts(run, 1.0)
    for case, one in zip([0, 2], found.run(SerialWorld(), 90), strict=True):
        given = found.data.frames(case, 0, 3)[1:].astype(np.float64)
        numbers = one.numbers()
        assert numbers["case"] == case and numbers["bounded"] == 1 and numbers["frames"] == 90
        fluid = one.fluid
        spread = np.ptp(given[:, :, fluid], axis=1).max()  # a sample of frames has each of the three as often, nearly
        np.testing.assert_allclose(one.network.mean[:, fluid], given.mean(axis=1)[:, fluid], atol=0.03 * spread)
        np.testing.assert_allclose(one.last[0][1:][:, fluid], given[:, 2][:, fluid], atol=1e-6)


def test_a_flow_that_grows_is_out_of_bounds_and_what_came_before_counts(run):
    for one in long_rollouts(run, 1.2).run(SerialWorld(), 90):
        numbers = one.numbers()
        assert numbers["bounded"] == 0 and 3 <= numbers["frames"] < 60 and numbers["frames"] % 3 == 0
        assert one.network.largest <= BOUND * one.simulation.largest and np.isfinite(one.network.mean).all()


def test_a_flow_that_is_no_number_at_once_has_no_statistics(run):
    (one, _) = long_rollouts(run, float("nan")).run(SerialWorld(), 9)
    assert one.numbers()["frames"] == 0 and np.isnan(one.numbers()["mean_vrmse"])


def test_a_simulation_of_one_more_frame_is_enough(run):
    for one in long_rollouts(run, 1.0, start=56).run(SerialWorld(), 9):
        numbers = one.numbers()
        assert one.simulation.n_frames == 1 and numbers["frames"] == 9 and np.isfinite(numbers["mean_vrmse"])
        assert np.isnan([numbers[name] for name in ("strouhal", "lift_ratio", "fluctuation_ratio")]).all()


def test_the_program_leaves_numbers_and_fields_the_same_for_two_processes(run, tmp_path, capsys):
    words = [str(run), f"file={run.parent.parent / 'more.h5'}", "part=all", "long=30", "threads=1"]
    evaluate.main([*words, f"output={tmp_path / 'one'}"])
    told = capsys.readouterr().out
    assert "6 all cases went on for 30 frames: 6 stayed within 3 times" in told
    on_two(evaluate.main, tmp_path, *words, f"output={tmp_path / 'two'}")
    one, two = (json.loads((tmp_path / name / "long.json").read_text()) for name in ("one", "two"))
    assert [row["case"] for row in one["cases"]] == [0, 1, 2, 3, 4, 5]
    assert all(row["spectrum_error"] >= 0 and len(row["spectrum"]) == 8 for row in one["cases"])
    assert one["cases"] == two["cases"]  # to the last digit
    with np.load(tmp_path / "one/long.npz", allow_pickle=False) as fields:
        assert fields["network_mean"].shape == (6, 2, 16, 16) and fields["simulation_last"].shape == (6, 3, 16, 16)
