"""Predictions in space and particle by particle, beside the simulation.

Layout of the slice: report of JHPCN project jh220052 (2022), figure 2: circles at initial positions, the redder the
more mobile.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from dtrain.metrics import pearson
from runkit.dataset.reader import Dataset
from tools.drawing.runs import Run, predicted
from tools.drawing.style import RED

MOBILE = LinearSegmentedColormap.from_list("mobile", ["#ffffff", "#fdd0bc", "#f4694c", "#b1121d", "#5c0010"])
DIAMETER = np.array([1.0, 0.88, 0.8])  # of the circles of species A, B, others
SLAB = 1.0  # thickness


def draw_slice(data: Dataset, run: Run) -> Figure:
    """A slab of the first scored configuration: simulation, rival and network."""
    sample, i_time = run.about["samples"][0], run.about["i_time"]
    is_a, truth = data["species"][sample] == 0, data["propensity"][sample, i_time]
    panels = [("simulation", truth)]
    for path, row in run.predictions:
        values = predicted(path, sample)
        panels.append((rf"{row['name']}, $\rho$ = {pearson(values[is_a], truth[is_a]):.2f}", values))
    norm = Normalize(*np.percentile(truth[is_a], (4, 98)))
    size = (2.9 * len(panels) + 0.6, 3.5)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, layout="compressed")
    for axis, (title, values) in zip(axes, panels, strict=True):
        _circles(axis, data, sample, MOBILE(norm(values)))
        axis.set(title=title, xlabel=r"$x\ [\sigma]$")
    axes[0].set_ylabel(r"$y\ [\sigma]$")
    bar = figure.colorbar(plt.cm.ScalarMappable(norm, MOBILE), ax=axes, extend="both", pad=0.015)
    bar.set_label(r"propensity [$\sigma$]")
    state = f"$T$ = {run.about['temperature']:g}, $t$ = {run.about['time']:g} $\\tau_{{\\rm LJ}}$"
    part = "" if run.about["part"] == "all" else f"{run.about['part']} "
    figure.suptitle(f"{state}; {part}sample {sample}, slab of {SLAB:g} $\\sigma$", fontsize=10)
    return figure


def draw_agreement(data: Dataset, run: Run) -> Figure:
    """Predicted against simulated propensity of A particles, all scored samples; the line is perfect agreement."""
    samples = run.about["samples"]
    masks = [data["species"][i] == 0 for i in samples]
    simulated = [data["propensity"][i, run.about["i_time"]][mask] for i, mask in zip(samples, masks, strict=True)]
    truth = np.concatenate(simulated)
    low, high = np.percentile(truth, (0.05, 99.95))
    n_panels = len(run.predictions)
    figure, axes = plt.subplots(1, n_panels, figsize=(3.3 * n_panels, 3.4), sharey=True, squeeze=False)
    for axis, (path, row) in zip(axes[0], run.predictions, strict=True):
        values = np.concatenate([predicted(path, i)[mask] for i, mask in zip(samples, masks, strict=True)])
        bottom, top = min(low, np.percentile(values, 0.05)), high
        axis.hexbin(truth, values, gridsize=60, extent=(low, high, bottom, top), bins="log", mincnt=1, lw=0.1)
        axis.plot((low, high), (low, high), color=RED)
        axis.set(xlim=(low, high), ylim=(bottom, top), xlabel=r"simulated propensity [$\sigma$]")
        score = row["node"]
        axis.set_title(
            f"{row['name']}\npooled $\\rho$ = {score['pooled']:.2f}, mean error {score['bias']:+.3f} $\\sigma$"
        )
    axes[0, 0].set_ylabel(r"predicted propensity [$\sigma$]")
    return figure


def _circles(axis: Axes, data: Dataset, sample: int, color: np.ndarray) -> None:
    """Particles of the slab in the middle of the box, at their initial positions, with images at the edges."""
    box, position, species = data["box"][sample], data["initial_position"][sample], data["species"][sample]
    inside = np.flatnonzero(np.abs(position[:, 2] - box[2] / 2) < SLAB / 2)
    inside = inside[np.argsort(position[inside, 2])]  # the upper ones in front
    diameter = DIAMETER[np.minimum(species[inside], len(DIAMETER) - 1)]
    style: dict[str, Any] = {"units": "xy", "facecolors": color[inside], "edgecolors": "#333333", "linewidths": 0.35}
    for image in np.ndindex(3, 3):
        centre = position[inside, :2] + (np.array(image) - 1) * box[:2]
        angle = np.zeros(len(inside))
        axis.add_collection(
            EllipseCollection(diameter, diameter, angle, offsets=centre, offset_transform=axis.transData, **style)
        )
    axis.set(xlim=(0, box[0]), ylim=(0, box[1]), aspect="equal", facecolor="#e8ebee")
    axis.spines[:].set_visible(True)
