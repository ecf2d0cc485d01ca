"""Scores against time, beside the noise ceiling, the simulation and published models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dtrain.glass import published
from dtrain.glass.report import CAGED
from dtrain.metrics import ceiling
from runkit.dataset.contracts.isoconfig import CLOSE_PAIR
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from tools.drawing.picture import Picture
from tools.drawing.runs import Run, short_simulation, source
from tools.drawing.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, TIME

KINDS = {"A": ("propensity", "particles (A)"), "bonds": ("bond_change", rf"bonds (AA, $r < {CLOSE_PAIR}\,\sigma$)")}
# Figures beside the mean correlation -> (words, value of a perfect prediction).
FIGURES = {
    "pooled": (r"pooled correlation $\rho$", 1.0),
    "spearman": ("correlation of ranks (Spearman)", 1.0),
    "slope": ("slope of simulation over prediction", 1.0),
    "top": ("found of the most mobile 10 %", 1.0),
    "mean_error": (r"error of a sample's mean [$\sigma$]", 0.0),
    "chi4": (r"susceptibility $\chi_4$", None),
}
# By name of a row of an evaluation; the networks have the first look.
LOOKS = {"network": (RED, "o", 8), "linear": (BLUE, "D", 5), "short simulation alone": (SKY, "X", 6)}
CAGED_LOOK = ("#8c2d04", "P", 8)  # of all that take a short simulation
MARKED = 12  # times at most with a mark each; more of them overlap
SHIFTS = {"network": 1.0, "linear": 1.075, "short simulation alone": 1.15}  # of times, so that bars stand side by side
PUBLISHED = ((BLACK, "o"), (PURPLE, "v"), (ORANGE, "^"), (GREEN, "s"), (GREY, "x"), ("#555555", "D"))


def draw_rho(data: Dataset, runs: Sequence[Run]) -> Picture:
    """Pearson correlation within a configuration, of particles and of bonds; bars are standard errors over samples."""
    temperature = float(data["temperature"][0])
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 3.7), sharex=True, sharey=True)
    for axis, (kind, (field, title)) in zip(axes, KINDS.items(), strict=True):
        _ours(axis, runs, kind)
        _ceiling(axis, data, field)
        axis.set(xscale="log", xlabel=TIME, title=f"{title}, $T$ = {temperature:g}")
    if published.covers(data.config):
        _published(axes[0], temperature)
    axes[0].set(ylabel=r"Pearson correlation $\rho$", ylim=(min(0.0, axes[0].get_ylim()[0]), 1.02))
    _legend(figure, axes)
    return Picture("rho_against_time", figure, _caption(data, runs))


def _caption(data: Dataset, runs: Sequence[Run]) -> str:
    lines = [
        "Pearson correlation with the simulation of the propensity of A particles (left) and of the change of the"
        " lengths of AA bonds (right), within a configuration.",
        "Dashed: what a perfect prediction would reach, given the noise of labels from finitely many replicas.",
    ]
    if runs:
        lines.append("Filled marks: means over the configurations held back; bars: standard errors over these.")
    lines += short_simulation(runs)
    if published.covers(data.config):
        lines.append(
            "Open marks: published models, trained on 400 configurations of 4096 particles, CAGE and EIGNN on 100"
            " (doi:10.5281/zenodo.10118191, doi:10.1063/5.0129791, arXiv:2407.06111), and scored on labels of"
            f" their own, whose ceiling is another one. {' and '.join(published.SIMULATED)} take a simulation."
        )
    return "\n".join([*lines, source(data)])


def draw_scores(data: Dataset, runs: Sequence[Run]) -> Picture:
    """All other figures of A particles; grey lines are a perfect prediction, the black one the simulation's chi_4."""
    figure, axes = plt.subplots(2, 3, figsize=(11, 5.6), sharex=True)
    for axis, (name, (words, perfect)) in zip(axes.flat, FIGURES.items(), strict=True):
        _ours(axis, runs, "A", name)
        if perfect is not None:
            axis.axhline(perfect, color=GREY, lw=0.8, ls=":", zorder=0)
        axis.set(xscale="log", ylabel=words)
    _simulated_chi4(axes.flat[-1], runs)
    if published.covers(data.config):
        for axis, name in ((axes.flat[0], "pooled"), (axes.flat[-1], "chi4")):
            _published(axis, float(data["temperature"][0]), name)
    for axis in axes[1]:
        axis.set_xlabel(TIME)
    figure.suptitle(f"particles (A), $T$ = {float(data['temperature'][0]):g}")
    _legend(figure, axes)
    caption = (
        "Scores of A particles at the times of the runs; bars: standard errors over the configurations held back.\n"
        "Dotted: a perfect prediction. Susceptibility: variance between configurations, times the number of particles,"
        " of the share with a propensity below 0.3; black: of the simulation, on the same configurations.\n"
    )
    return Picture("scores_against_time", figure, caption + source(data))


def _legend(figure: Figure, axes: np.ndarray) -> None:
    """Of all that is in any of the axes, published models last."""
    entries = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    labels = sorted(entries, key=lambda label: "published" in label)
    figure.legend([entries[label] for label in labels], labels, loc="outside right center")


def _simulated_chi4(axis: Axes, runs: Sequence[Run]) -> None:
    """That of the simulation on the samples of the first run, with its error."""
    about = next((run.about["chi4"] for run in runs if run.about.get("chi4", {}).get("A")), None)
    if about is None:
        return
    value, error = ([np.nan if one[k] is None else one[k] for one in about["A"]["curve"]] for k in ("value", "error"))
    axis.errorbar(about["time"], value, error, color=BLACK, marker="_", capsize=2, label="simulation", zorder=1)


def _ours(axis: Axes, runs: Sequence[Run], kind: str, figure: str = "pearson") -> None:
    points: dict[str, list[tuple[float, float, float]]] = {}
    for run in runs:
        for row in run.rows:
            if row.get(kind) and row[kind][figure] and row[kind][figure]["value"] is not None:
                label = f"{row['name']}, {run.trained}"
                one = row[kind][figure]
                points.setdefault(label, []).append((run.about["time"], one["value"], one["error"] or 0.0))
    for label, found in points.items():
        name = label.rpartition(", ")[0]
        color, marker, size = CAGED_LOOK if name.endswith(CAGED) else LOOKS.get(name, LOOKS["network"])
        time, rho, error = np.array(sorted(found)).T
        time = time * SHIFTS.get(name, 1.0)
        style: dict[str, Any] = {"color": color, "ms": size, "mec": "w", "mew": 0.6, "capsize": 2, "lw": 1.4}
        axis.errorbar(time, rho, error, fmt=marker, label=label, zorder=5, **style)


def _ceiling(axis: Axes, data: Dataset, field: str) -> None:
    """What a perfect prediction would reach."""
    if f"{field}_reliability" in data:
        done = data["labelled"][:] == COMPLETE
        limit = [ceiling(values) for values in data[f"{field}_reliability"][:][done].T]
        style: dict[str, Any] = {"color": BLACK, "ls": "--", "zorder": 1}
        if len(limit) <= MARKED:
            style |= {"marker": "_", "ms": 14, "mew": 1.5}
        samples = "1 sample" if done.sum() == 1 else f"all {done.sum()} samples"
        axis.plot(data["time"][:], limit, label=f"noise ceiling, {samples}", **style)


def _published(axis: Axes, temperature: float, figure: str = "pearson") -> None:
    times = published.times(temperature)
    if not times:
        return
    for model, (color, marker) in zip(published.MODELS, PUBLISHED, strict=True):
        found = [published.scores(temperature, time)[model] for time in times]
        values = [getattr(one, figure) for one in found]
        style: dict[str, Any] = {"color": color, "marker": marker, "ms": 3.5, "mfc": "w", "mew": 0.8, "lw": 0.9}
        if None not in values:
            label = f"{published.titled(model)}, published ({found[0].n_train} samples)"
            axis.plot(times, values, label=label, zorder=3, **style)
    tau = published.tau_alpha(temperature)
    if tau is None:
        return
    axis.axvline(tau, color="#cccccc", lw=0.8, zorder=0)
    axis.annotate(
        r"$\tau_\alpha$", (tau, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -9), textcoords="offset points"
    )
