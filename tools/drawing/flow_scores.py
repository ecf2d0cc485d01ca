"""Scores along rollouts: curves and a table of all networks and of their rivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt

from runkit.dataset.reader import Dataset
from tools.drawing.picture import Picture
from tools.drawing.runs import Run, source
from tools.drawing.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY

COLOURS = (RED, BLUE, GREEN, ORANGE, PURPLE, SKY)
RIVALS = {"persistence": (BLACK, "--"), "mean field": (GREY, ":"), "simulation": (GREY, "-")}
PANELS = {
    "vrmse": "VRMSE (density, velocity)",
    "correlation": "correlation of vorticity",
    "wake": "VRMSE of velocity in the wake",
    "divergence": "rms divergence / rms vorticity",
}
COLUMNS = ("vrmse", "density", "velocity_x", "velocity_y", "wake", "correlation_time", "divergence", "spectrum")
FRAMES = (1, 10)
# (skip connections, gradient loss) -> name of the variant, in the order of the source report.
VARIANTS = {(False, False): "base", (True, False): "+ skip", (False, True): "+ gradient", (True, True): "both"}


def variants(runs: Sequence[Run]) -> dict[str, Run]:
    """Runs by what distinguishes them: the parts of the network of the ablation, or else their names."""
    labels = [_label(run) for run in runs]
    if len(set(labels)) < len(runs) or len(runs) == 1:
        return {run.name: run for run in runs}
    named = dict(zip(labels, runs, strict=True))
    return {label: named[label] for label in VARIANTS.values() if label in named}


def draw_scores(data: Dataset, runs: dict[str, Run]) -> Picture:
    """Scores against the frame of the rollout, means over the held-back cases."""
    figure, axes = plt.subplots(2, 2, figsize=(8.4, 5.6), sharex=True)
    first = next(iter(runs.values()))
    for axis, (score, label) in zip(axes.ravel(), PANELS.items(), strict=True):
        for i, (name, run) in enumerate(runs.items()):
            values = run.rows[0]["frames"][score]
            look = {"color": COLOURS[i % len(COLOURS)], "label": f"{name}, {run.trained}", "ms": 2.5}
            axis.plot(range(1, len(values) + 1), values, "o-", **look)
        for row in first.rows[1:]:
            if row["name"] != "simulation" or score == "divergence":
                color, style = RIVALS[row["name"]]
                values = row["frames"][score]
                axis.plot(range(1, len(values) + 1), values, style, color=color, zorder=1, label=row["name"])
        axis.set(ylabel=label, ylim=(0, None))
    axes[0, 1].set_ylim(None, 1.02)
    for axis in axes[1]:
        axis.set_xlabel("predicted frame")
    figure.legend(*axes[1, 1].get_legend_handles_labels(), loc="outside right center")
    about = first.about
    figure.suptitle(f"{len(about['cases'])} {about['part']} cases", fontsize=10)
    caption = [
        f"Scores along rollouts of {about['n_frames']} frames, means over {len(about['cases'])} {about['part']} cases."
        " VRMSE: root of the mean squared error over the variance of the field; 1 is no better than the field's mean."
        " Persistence repeats the last given frame; the mean field is that of the training cases.",
        source(data),
    ]
    return Picture("rollout_scores", figure, "\n".join(caption))


def score_table(runs: dict[str, Run]) -> Picture:
    """A Markdown table of the means over cases and frames, and of the mean VRMSE of some frames."""
    first = next(iter(runs.values()))
    frames = [frame for frame in FRAMES if frame <= min(run.about["n_frames"] for run in runs.values())]
    heads = ["", *(f"VRMSE, frame {frame}" for frame in frames), *(name.replace("_", " ") for name in COLUMNS)]
    rows = [(name, run.rows[0]) for name, run in runs.items()] + [(row["name"], row) for row in first.rows[1:]]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, row in rows:
        numbers = [row["frames"]["vrmse"][frame - 1] for frame in frames] + [row["mean"][key] for key in COLUMNS]
        lines.append(f"| {name} | {' | '.join('–' if n is None else f'{n:.3g}' for n in numbers)} |")
    return Picture("rollout_scores", "\n".join(lines) + "\n")


def _label(run: Run) -> str:
    """The variant of the ablation: base, + skip, + gradient loss, or both."""
    with Dataset(run.path / "evaluation.h5") as file:
        recipe: dict[str, Any] = file.config
    has_skip, has_gradient = recipe["model"]["parameters"].get("skip", True), recipe["loss"]["gradient"] > 0
    return VARIANTS[has_skip, has_gradient]
