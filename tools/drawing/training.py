"""Training curves."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from tools.drawing.picture import Picture
from tools.drawing.runs import Run
from tools.drawing.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, legend

COLOURS = (RED, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
# Column of validation.csv -> style, end of the label, what it is.
SCORES = {
    "rho_node": ("o-", ", particles", r"Pearson correlation $\rho$"),
    "rho_edge": ("s:", ", bonds", r"Pearson correlation $\rho$"),
    "vrmse": ("o-", "", "VRMSE of a rollout"),
}
MANY = 6  # runs, beyond which names would hide the curves


def draw_training(runs: Sequence[Run]) -> Picture:
    """Losses, and scores of validation samples, against the step of the optimiser."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.2))
    for i_run, run in enumerate(runs):
        color = COLOURS[i_run % len(COLOURS)]
        training, validation = run.curve("training"), run.curve("validation")
        for name, curve, style in (("training", training, "-"), ("validation", validation, "--")):
            if curve:
                left.plot(curve["step"], curve["loss"], style, color=color, label=f"{run.name}, {name}")
        for key, (style, label, _) in SCORES.items():
            if key in validation:
                right.plot(validation["step"], validation[key], style, ms=3, color=color, label=f"{run.name}{label}")
        for step in _phase_starts(training):
            left.axvline(step, color="#cccccc", lw=0.8, zorder=0)
            right.axvline(step, color="#cccccc", lw=0.8, zorder=0)
    left.set(yscale="log", xlabel="step", ylabel="loss")
    scored = {what for run in runs for key, (_, _, what) in SCORES.items() if key in run.curve("validation")}
    right.set(xlabel="step", ylabel=f"validation: {' and '.join(sorted(scored))}")
    if len(runs) <= MANY:
        for axis in (left, right):
            legend(axis, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    message = "; ".join(f"{run.name}: {run.trained}" for run in runs)
    caption = (
        "Left: loss of training (solid) and validation samples (dashed) against the step of the optimiser. Right:"
        f" scores of validation samples. Grey lines: a new phase of the training. {message}."
    )
    return Picture("training", figure, caption)


def _phase_starts(curve: dict[str, np.ndarray]) -> np.ndarray:
    """Steps at which a further phase began."""
    if not curve:
        return np.array([])
    return curve["step"][1:][curve["phase"][1:] != curve["phase"][:-1]]
