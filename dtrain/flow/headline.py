"""The few numbers by which networks of flow are compared, per case, as others publish them.

Source: R. Ohana et al., arXiv:2412.00568 (The Well: VRMSE of the next frame and means over frames 6 to 12 and 13 to
30); Y. Luo et al., arXiv:2310.05963 (CFDBench: NMSE of velocity after 1 and 20 frames); G. Kohl et al.,
arXiv:2309.01745 (MSE over a rollout); D. Kochkov et al., PNAS 118, e2101784118 (2021) (time over which vorticity stays
correlated).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dtrain.flow_metrics import DECORRELATED, SCALES, correlation_time
from runkit.arrays import F64, Floats

# Number of a case -> the score that it is a mean of, over the frames from the first to the last, counted from 1.
BANDS = {
    "vrmse_1": ("vrmse", 1, 1),
    "vrmse_6_12": ("vrmse", 6, 12),
    "vrmse_13_30": ("vrmse", 13, 30),
    "nmse_1": ("nmse", 1, 1),
    "nmse_20": ("nmse", 20, 20),
}
WHOLE = ("mse", "divergence_ratio", *(f"energy_{name}" for name in SCALES))  # means over all frames
# Number -> its head in tables; `correlation_time` is in frames, `correlation_periods` in shedding periods.
HEADS = {
    "vrmse_1": "VRMSE 1",
    "vrmse_6_12": "6-12",
    "vrmse_13_30": "13-30",
    "nmse_1": "NMSE 1",
    "nmse_20": "20",
    "mse": "MSE",
    "correlation_time": "followed",
    "correlation_periods": "periods",
    "divergence_ratio": "div/sim",
    **{f"energy_{name}": f"E {name}" for name in SCALES},
}
MEANING = (
    "VRMSE: error over the spread of a field, 1 for its mean; of frame 1, and means over frames.",
    "NMSE: squared error of velocity over its square, frames 1 and 20; MSE: over the reference velocity's, all frames.",
    f"followed: frames, and shedding periods, until the correlation of vorticity falls below {DECORRELATED:g}.",
    "div/sim: divergence over the simulation's. E: log10 of kinetic energy over the simulation's, by scale.",
    "-: the rollout is too short, or nothing is shed.",
)
WIDTH = 10  # characters of a column


def headlines(scores: Mapping[str, Floats], periods: Sequence[float]) -> dict[str, F64]:
    """Name -> number of each case, of the scores [case, frame] of a predictor; NaN where a rollout ends before.

    `periods` are the shedding periods of the cases in frames, NaN for flows without.
    """
    bands = {name: _between(scores[score], first, last) for name, (score, first, last) in BANDS.items()}
    followed = np.array([correlation_time(values) for values in scores["correlation"]], np.float64)
    found = {
        **bands,
        "correlation_time": followed,
        "correlation_periods": followed / np.asarray(periods, np.float64),
        **{name: scores[name].mean(axis=1, dtype=np.float64) for name in WHOLE},
    }
    return {name: found[name] for name in HEADS}


def lines_of(of_predictors: Mapping[str, Mapping[str, F64]]) -> list[str]:
    """A table of predictors and their numbers per case: means over cases, and standard deviations over them below.

    "-" is a number that no case has; of a single case there are no standard deviations.
    """
    width = max(map(len, of_predictors)) + 2
    lines = [" " * width + "".join(f"{head:>{WIDTH}}" for head in HEADS.values())]
    for name, per_case in of_predictors.items():
        means, spreads = zip(*(spread(per_case[key]) for key in HEADS), strict=True)
        lines.append(f"{name:<{width}}" + "".join(f"{_number(one):>{WIDTH}}" for one in means))
        if len(per_case[next(iter(HEADS))]) > 1:
            lines.append(" " * width + "".join(f"{_number(one, '±'):>{WIDTH}}" for one in spreads))
    return lines


def _number(value: float, sign: str = "") -> str:
    return "-" if np.isnan(value) else f"{sign}{value:.3g}"


def _between(values: Floats, first: int, last: int) -> F64:
    if values.shape[1] < last:
        return np.full(len(values), np.nan)
    found: F64 = values[:, first - 1 : last].mean(axis=1, dtype=np.float64)
    return found


def spread(values: F64) -> tuple[float, float]:
    """Mean and standard deviation over the cases that have a number; NaN if none has."""
    there = values[np.isfinite(values)]
    return (float(there.mean()), float(there.std())) if len(there) else (float("nan"), float("nan"))
