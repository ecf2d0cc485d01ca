"""A card of an ISOCONFIG file: how mobile, how relaxed, how noisy."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from runkit.dataset.contracts.isoconfig import CLOSE_PAIR
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from tools.drawing.picture import Picture
from tools.drawing.relaxation import Curves, curves
from tools.drawing.runs import source
from tools.drawing.style import BLUE, GREEN, ORANGE, PURPLE, RED, TIME, legend

SPECIES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"))
MANY_MARKS = 8
MOST_SHOWN = 6  # distributions
NARROW = 1.3  # decades of a distribution below which a linear axis serves better


def draw_dataset(data: Dataset) -> Picture:
    """Distribution of propensity, mean squared displacement, relaxation, and reliability of the labels."""
    done = np.flatnonzero(data["labelled"][:] == COMPLETE)
    between = curves(data, done)
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4))
    _distributions(axes[0, 0], data, done)
    _mean_squared_displacement(axes[0, 1], data, done, between)
    _relaxation(axes[1, 0], data, done, between)
    _reliability(axes[1, 1], data, done)
    for axis in (axes[0, 1], axes[1, 0], axes[1, 1]):
        axis.set(xscale="log", xlabel=TIME)
        legend(axis)
    for axis, letter in zip(axes.ravel(), "abcd", strict=True):
        axis.set_title(f"({letter})", loc="left")
    samples = "sample" if len(done) == 1 else "samples"
    what = f"{len(done)} {samples} of {data.sizes['particle']} particles, {data.sizes['replica']} replicas"
    figure.suptitle(f"{data.path.name}: $T$ = {data['temperature'][done[0]]:g}, {what}", fontsize=10)
    return Picture("dataset", figure, _caption(data, done, between, what))


def _caption(data: Dataset, done: np.ndarray, between: Curves | None, what: str) -> str:
    lines = [
        f"The data set {data.path.name}: {what}, at temperature {data['temperature'][done[0]]:g}.",
        "(a) Distribution of the propensity (replica mean of the displacement) of A particles at some times.",
        "(b) Mean squared displacement of each species.",
        "(c) Self-intermediate scattering function, and overlap: the fraction that has moved less than 0.3 sigma.",
        "(d) Split-half reliability of the labels, each sample (dots) and their mean; its root is the best correlation"
        " that any prediction can reach.",
    ]
    if between is not None:
        lines[3] += (
            " Marks in (b) and (c): means over all samples and replicas at the times of the file; lines: one trajectory"
            f" from {'one' if between.n_samples == 1 else f'each of {between.n_samples}'} of its configurations,"
            " simulated for this picture."
        )
    return "\n".join([*lines, source(data)])


def _distributions(axis: Axes, data: Dataset, done: np.ndarray) -> None:
    time, is_a = data["time"][:], data["species"][:][done] == 0
    shown = np.unique(np.linspace(0, len(time) - 1, MOST_SHOWN).round().astype(int))
    propensity = [data["propensity"][:, k][done][is_a] for k in shown]
    low, high = min(map(np.min, propensity)), max(map(np.max, propensity))
    is_wide = np.log10(high / low) > NARROW
    bins = np.geomspace(low, high, 70) if is_wide else np.linspace(low, high, 70)
    shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.88, len(shown)))
    for values, shade, t in zip(propensity, shades, time[shown], strict=True):
        weights = np.full(len(values), 1 / len(values))
        axis.hist(values, bins.tolist(), weights=weights, histtype="step", color=shade, lw=1.3, label=f"$t$ = {t:g}")
    axis.set(xscale="log" if is_wide else "linear", ylabel="fraction of particles per bin")
    axis.set_xlabel(r"propensity of A particles [$\sigma$]")
    lines = [Line2D([], [], color=shade) for shade in shades]
    axis.legend(lines, axis.get_legend_handles_labels()[1], loc="best")


def _mean_squared_displacement(axis: Axes, data: Dataset, done: np.ndarray, between: Curves | None) -> None:
    _per_species(axis, data, done, "mean_squared_displacement", "{}", between)
    axis.set(yscale="log", ylabel=r"mean squared displacement [$\sigma^2$]")


def _relaxation(axis: Axes, data: Dataset, done: np.ndarray, between: Curves | None) -> None:
    _per_species(axis, data, done, "self_scattering", "{}, $F_s$", between)
    _per_species(axis, data, done, "overlap", "{}, overlap", between, ls="--", mfc="w")
    wave_number = data.config.get("label", {}).get("wave_number")
    scattering = "$F_s(q, t)$" + (f" at $q$ = {wave_number:g}" if wave_number else "")
    axis.set(ylim=(-0.03, 1.03), ylabel=f"{scattering}; overlap at 0.3 $\\sigma$")


def _per_species(
    axis: Axes, data: Dataset, done: np.ndarray, name: str, label: str, between: Curves | None, ls: str = "-", **style
) -> None:
    """Marks at the times of the file; lines through what was simulated between them, or else from mark to mark."""
    if name not in data:
        return
    for one, (color, marker) in zip(range(data.sizes["species"]), SPECIES, strict=False):
        values = np.mean(data[name][:][done, :, one], axis=0)
        line = ls if between is None else "none"
        style.setdefault("ms", 5 if len(values) <= MANY_MARKS else 3)
        axis.plot(data["time"][:], values, color=color, marker=marker, ls=line, label=label.format("ABC"[one]), **style)
        if between is not None:
            axis.plot(between.time, getattr(between, name)[:, one], color=color, ls=ls, lw=1.0, zorder=1)


def _reliability(axis: Axes, data: Dataset, done: np.ndarray) -> None:
    kinds = {
        "propensity": (RED, "propensity (A)"),
        "bond_change": (PURPLE, rf"bond change (AA, $r < {CLOSE_PAIR}\,\sigma$)"),
    }
    lowest = 0.0
    for name, (color, label) in kinds.items():
        if f"{name}_reliability" in data:
            values = data[f"{name}_reliability"][:][done]
            axis.plot(data["time"][:], values.T, ".", color=color, alpha=0.35, ms=5, mew=0)
            axis.plot(data["time"][:], values.mean(axis=0), "o-", color=color, label=label)
            lowest = min(lowest, float(np.nanmin(values, initial=0.0)))
    axis.set(ylim=(lowest, 1.03), ylabel="split-half reliability of labels")
