"""Predictions in space and particle by particle, beside the simulation.

Layout of the slice: report of JHPCN project jh220052 (2022), figure 2: circles at initial positions, the redder the
more mobile. A prediction is a conditional mean, so it varies less than what is simulated; the titles give the ratio.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from dtrain.metrics import pearson
from runkit.dataset.reader import Dataset
from tools.drawing.calibration import Calibration, calibrated, pairs
from tools.drawing.particles import MOBILE, SLAB, circles, colours_of
from tools.drawing.picture import Picture
from tools.drawing.runs import Run, limit, short_simulation, source
from tools.drawing.style import BLACK, RED

BINS = 12  # of equal numbers of particles, along the predictions


def draw_slice(data: Dataset, run: Run) -> Picture:
    """A slab of the first scored configuration: simulation, rivals and network, in the same colours."""
    sample, i_time = run.about["samples"][0], run.about["i_time"]
    is_a, truth = data["species"][sample] == 0, data["propensity"][sample, i_time]
    panels, made = [("simulation", truth)], []
    for path, row in run.predictions:
        values, lines = calibrated(data, run, path, sample)
        rho, spread = pearson(values[is_a], truth[is_a]), values[is_a].std() / truth[is_a].std()
        panels.append((f"{row['name']}\n$\\rho$ = {rho:.2f}, spread {spread:.2f}", values))
        made.append(f"{row['name']}: {'; '.join(f'{one} {line}' for one, line in zip('ABC', lines, strict=False))}.")
    norm = colours_of(truth[is_a])
    size = (2.9 * len(panels) + 0.6, 3.6)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, layout="compressed")
    for axis, (title, values) in zip(axes, panels, strict=True):
        circles(axis, data, sample, MOBILE(norm(values)))
        axis.set(title=title, xlabel=r"$x\ [\sigma]$")
    axes[0].set_ylabel(r"$y\ [\sigma]$")
    bar = figure.colorbar(plt.cm.ScalarMappable(norm, MOBILE), ax=axes, extend="both", pad=0.015)
    bar.set_label(r"propensity [$\sigma$], all panels")
    state = f"$T$ = {run.about['temperature']:g}, $t$ = {run.about['time']:g} $\\tau_{{\\rm LJ}}$"
    part = "" if run.about["part"] == "all" else f"{run.about['part']} "
    ends = f"slab of {SLAB:g} $\\sigma$; {run.trained}{limit(data, sample, i_time)}"
    figure.suptitle(f"{state}; {part}sample {sample}, {ends}", fontsize=10)
    return Picture(f"slice_{run.name}", figure, _slice_caption(data, run, norm, made))


def _slice_caption(data: Dataset, run: Run, norm: Normalize, made: list[str]) -> str:
    about = run.about
    return "\n".join(
        [
            f"Propensity at t = {about['time']:g} in a slab of {SLAB:g} sigma of {about['part']} sample"
            f" {about['samples'][0]}, T = {about['temperature']:g}. Circles: particles at their initial positions.",
            f"All panels have the same colours, from {norm.vmin:.3g} to {norm.vmax:.3g} sigma: the 4th to the 98th"
            " percentile of what was simulated for A particles.",
            "rho: Pearson correlation over the A particles of this sample. Spread: standard deviation of the prediction"
            " over that of the simulation; a calibrated prediction of correlation rho has the spread rho.",
            *short_simulation([run]),
            *made,
            source(data),
        ]
    )


def draw_agreement(data: Dataset, run: Run) -> Picture:
    """Predicted against simulated propensity of A particles, all scored samples; the line is perfect agreement."""
    n_panels = len(run.predictions)
    figure, axes = plt.subplots(1, n_panels, figsize=(3.3 * n_panels, 3.6), sharey=True, squeeze=False)
    for axis, (path, row) in zip(axes[0], run.predictions, strict=True):
        truth, values = pairs(data, run, path)
        _cloud(axis, truth, values)
        line = Calibration.of(truth, values)
        message = f"spread {values.std() / truth.std():.2f}, slope of calibration {line.slope:.2f}"
        found = {name: row["A"][name]["value"] for name in ("pooled", "bias")}
        pooled = f"pooled $\\rho$ = {found['pooled']:.2f}, mean error {found['bias']:+.3f} $\\sigma$"
        axis.set_title(f"{row['name']}, {run.trained}\n{pooled}\n{message}", fontsize=8)
    axes[0, 0].set_ylabel(r"predicted propensity [$\sigma$]")
    caption = [
        f"Predicted against simulated propensity of the A particles of {len(run.about['samples'])} {run.about['part']}"
        f" samples at t = {run.about['time']:g}, T = {run.about['temperature']:g}; colours: number of particles.",
        "Line: perfect agreement. Circles: mean of the simulation over particles of nearly equal prediction, which lie"
        " on the line if the prediction is calibrated. Spread: standard deviation of the predictions over that of the"
        " simulation. Slope of calibration: of the simulation regressed on the predictions, 1 if calibrated.",
    ]
    return Picture(f"agreement_{run.name}", figure, "\n".join([*caption, source(data)]))


def _cloud(axis: Axes, truth: np.ndarray, values: np.ndarray) -> None:
    low, high = np.percentile(truth, (0.05, 99.95))
    bottom, top = min(low, np.percentile(values, 0.05)), high
    axis.hexbin(truth, values, gridsize=60, extent=(low, high, bottom, top), bins="log", mincnt=1, lw=0.1)
    axis.plot((low, high), (low, high), color=RED)
    groups = np.array_split(np.argsort(values), BINS)
    means = [(truth[group].mean(), values[group].mean()) for group in groups if len(group)]
    axis.plot(*np.transpose(means), "o", color="w", mec=BLACK, ms=4.5)
    axis.set(xlim=(low, high), ylim=(bottom, top), xlabel=r"simulated propensity [$\sigma$]")
