"""Scores of a predicted rollout against the simulation, frame by frame.

Units: dimensionless; VRMSE 1 is as good as the mean of the true field, and an error of the spectrum of 0.3 a factor 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dtrain.data.flow import CHANNELS
from dtrain.flow.headline import headlines, spread
from dtrain.flow_metrics import (
    SCALES,
    correlation,
    divergence,
    energy_by_scale,
    energy_spectrum,
    normalised_error,
    spectrum_error,
    squared_error,
    variance_error,
    vorticity,
    wake,
)
from runkit.arrays import F64, Bools, Floats

# Name of a score -> what it is, in the order of reports.
SCORES = {
    "vrmse": "VRMSE, mean of density and both velocities",
    **{name: f"VRMSE of {name.replace('_', ' ')}" for name in CHANNELS},
    "nmse": "squared error of velocity over its square, sums over cells",
    "mse": "squared error of velocity over the square of the reference velocity, mean of both components",
    "wake": "VRMSE of velocity behind the obstacles",
    "correlation": "correlation of vorticity",
    "divergence": "divergence of velocity over vorticity of the simulation, root mean squares",
    "divergence_ratio": "divergence of velocity over that of the simulation, root mean squares",
    "spectrum": "error of the kinetic-energy spectrum, mean |log10 ratio|",
    **{f"energy_{name}": f"log10 of kinetic energy over that of the simulation, {name} scales" for name in SCALES},
}


@dataclass(frozen=True)
class Row:
    """A predictor with its scores, name -> [case, frame]; `periods` [case] are those of shedding in frames, or NaN."""

    name: str
    scores: dict[str, Floats]
    periods: Sequence[float]

    @cached_property
    def per_frame(self) -> dict[str, Floats]:
        """Mean over cases."""
        return {name: _mean(values, 0) for name, values in self.scores.items()}

    @cached_property
    def mean(self) -> dict[str, float]:
        """Mean over cases and frames, and means over cases of the headline numbers."""
        found = {name: float(_mean(values, None)) for name, values in self.scores.items()}
        return found | {name: spread(values)[0] for name, values in self.per_case.items()}

    @cached_property
    def per_case(self) -> dict[str, F64]:
        """The headline numbers, name -> [case]."""
        return headlines(self.scores, self.periods)


class Reference:
    """Simulated frames [3, time, x, y] of a case, which predictions shall give.

    `cell` is a cell's width in sites, `speed` the reference velocity of the flow.
    """

    def __init__(self, frames: Floats, fluid: Bools, distance: Floats, cell: float, speed: float) -> None:
        self.frames, self.fluid, self.speed = frames, fluid, speed
        self._curl = vorticity(frames[1:], fluid)
        self._divergence = divergence(frames[1:], fluid)
        self._strength = np.sqrt(np.square(self._curl[..., fluid], dtype=np.float64).mean(axis=-1))
        self._spectrum = energy_spectrum(frames[1:], fluid)
        self._wake = wake(distance, cell)

    def score(self, predicted: Floats) -> dict[str, Floats]:
        """The scores of `predicted` [3, time, x, y]: name -> [time]; NaN where there is nothing to score."""
        error = variance_error(predicted, self.frames, self.fluid)
        behind = np.full(error.shape[1], np.nan)
        if self._wake.any():
            behind = variance_error(predicted[1:], self.frames[1:], self._wake).mean(axis=0)
        diverges = divergence(predicted[1:], self.fluid)
        spectrum = energy_spectrum(predicted[1:], self.fluid)
        by_scale = energy_by_scale(spectrum, self._spectrum)
        found = {
            "vrmse": error.mean(axis=0),
            **dict(zip(CHANNELS, error, strict=True)),
            "nmse": normalised_error(predicted[1:], self.frames[1:], self.fluid),
            "mse": squared_error(predicted[1:], self.frames[1:], self.fluid, self.speed),
            "wake": behind,
            "correlation": correlation(vorticity(predicted[1:], self.fluid), self._curl, self.fluid),
            "divergence": diverges / self._strength,
            "divergence_ratio": diverges / self._divergence,
            "spectrum": spectrum_error(spectrum, self._spectrum),
            **{f"energy_{name}": values for name, values in by_scale.items()},
        }
        return {name: found[name] for name in SCORES}


def rows_of(scored: Sequence[dict[str, dict[str, Floats]]], periods: Sequence[float]) -> list[Row]:
    """Predictor -> scores, of every case, as one row per predictor."""
    return [
        Row(name, {score: np.stack([case[name][score] for case in scored]) for score in SCORES}, periods)
        for name in scored[0]
    ]


def _mean(values: Floats, axis: int | None) -> Floats:
    """Mean over what is defined; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    return np.where(count > 0, np.where(there, values, 0.0).sum(axis=axis) / np.maximum(count, 1), np.nan)
