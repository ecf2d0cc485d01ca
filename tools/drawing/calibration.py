"""Calibration of predictions: the line that the simulation follows on average where a prediction is given.

Networks and regressions may predict too large, too small or too wide; this is mended by a line that was fitted to other
samples than the one which is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtrain.glass.scores import slope
from runkit.dataset.reader import Dataset
from tools.drawing.runs import Run, predicted


@dataclass(frozen=True)
class Calibration:
    """prediction -> offset + slope * prediction, from `n_samples` samples; none of them: as it was predicted."""

    slope: float = 1.0
    offset: float = 0.0
    n_samples: int = 0

    @classmethod
    def of(cls, truth: np.ndarray, values: np.ndarray, n_samples: int = 1) -> Calibration:
        """The regression of simulated on predicted values."""
        line = slope(np.asarray(values, np.float64), np.asarray(truth, np.float64))
        return cls() if np.isnan(line) else cls(line, float(truth.mean() - line * values.mean()), n_samples)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Calibrated predictions."""
        return self.offset + self.slope * values

    def __str__(self) -> str:
        """For a caption."""
        if not self.n_samples:
            return "as predicted, since there is no other scored sample to calibrate by"
        others = f"{self.n_samples} other scored sample{'' if self.n_samples == 1 else 's'}"
        return f"calibrated by {others}, {self.offset:+.3g} sigma {self.slope:+.3g} x prediction"


def calibrated(data: Dataset, run: Run, path: Path, sample: int) -> tuple[np.ndarray, list[Calibration]]:
    """Predictions of a sample, each species after a line of its own by all other scored samples; and these lines.

    A line of one species would throw the others far off where a network distinguishes particles by their species alone.
    """
    values, species = predicted(path, sample), data["species"][sample]
    others = [other for other in run.about["samples"] if other != sample]
    lines = []
    for one in range(data.sizes["species"]):
        truth, guessed = pairs(data, run, path, others, one) if others else (np.empty(0), np.empty(0))
        lines.append(Calibration.of(truth, guessed, len(others)) if truth.size else Calibration())
        values = np.where(species == one, lines[one](values), values)
    return values, lines


def pairs(
    data: Dataset, run: Run, path: Path, samples: list[int] | None = None, species: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Simulated and predicted propensity of the particles of a species in scored samples, one after the other."""
    samples = run.about["samples"] if samples is None else samples
    masks = [data["species"][sample] == species for sample in samples]
    truth = [data["propensity"][i, run.about["i_time"]][mask] for i, mask in zip(samples, masks, strict=True)]
    return np.concatenate(truth), np.concatenate(
        [predicted(path, i)[mask] for i, mask in zip(samples, masks, strict=True)]
    )
