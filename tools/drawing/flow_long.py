"""Rollouts without end: whether they stay, and how their statistics compare with those of the simulation."""

from __future__ import annotations

import json
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from runkit.dataset.reader import Dataset
from tools.drawing.flow_fields import QUANTITIES, Case, scales
from tools.drawing.picture import Picture
from tools.drawing.runs import Run, source
from tools.drawing.style import BLACK, BLUE, GREY, RED

FILES = ("long.json", "long.npz")  # as dtrain.flow.long_report calls them, which would load torch
TITLES = {"last": "last frame", "mean": "mean", "rms": "rms of fluctuation"}


def draw_long(data: Dataset, run: Run) -> Picture | None:
    """Energy along the rollouts, spectra, Strouhal numbers and lift of all cases, fields of the first; None without."""
    if not all((run.path / name).exists() for name in FILES):
        return None
    about = json.loads((run.path / FILES[0]).read_text(encoding="utf-8"))
    with np.load(run.path / FILES[1], allow_pickle=False) as stored:
        fields = {name: stored[name] for name in stored.files}
    figure = plt.figure(figsize=(11.0, 6.4))
    grid = figure.add_gridspec(2, 4)
    energy = figure.add_subplot(grid[0, :2])
    _draw_energy(energy, about["cases"], about["n_frames"])
    _draw_spectra(figure.add_subplot(grid[0, 2]), about["cases"])
    _draw_strouhal(figure.add_subplot(grid[0, 3]), about["cases"])
    case = Case(data, int(about["cases"][0]["case"]))
    lower = grid[1, :].subgridspec(2, 3)
    for column, what in enumerate(TITLES):
        pair = [fields[f"{who}_{what}"][0] for who in ("simulation", "network")]
        _draw_pair([figure.add_subplot(lower[row, column]) for row in (0, 1)], case, pair, what)
    bounded = sum(bool(one["bounded"]) for one in about["cases"])
    figure.suptitle(f"{run.name}: {bounded} of {len(about['cases'])} cases bounded over {about['n_frames']} frames")
    return Picture(f"long_{run.name}", figure, "\n".join([_caption(about, case), source(data)]))


def _draw_energy(axis: Axes, cases: list[dict[str, Any]], n_frames: int) -> None:
    """A line ends where a rollout leaves its bounds."""
    for i, one in enumerate(cases):
        curve = np.array(one["network"], float)  # null becomes NaN
        axis.plot(one["ends"], curve, "-", lw=0.8, color=RED, alpha=0.6, label=None if i else "network")
    axis.axhline(1.0, color=BLACK, lw=0.8, label="simulation, mean")
    axis.set(xscale="log", xlim=(1, n_frames), ylim=(0, 2), xlabel="predicted frame")
    axis.set_ylabel("variance in space of velocity\nover the simulation's")
    axis.legend(loc="lower left")


def _draw_spectra(axis: Axes, cases: list[dict[str, Any]]) -> None:
    for key, color, label in (("spectrum_simulation", BLACK, "simulation"), ("spectrum", RED, "network")):
        known = np.array([one[key] for one in cases], float)
        k = np.arange(1, known.shape[1] + 1)
        axis.plot(k, np.nanmean(known, axis=0), color=color, label=label)
    axis.set(xscale="log", yscale="log", xlabel="waves across the domain", ylabel="kinetic energy, mean over cases")
    axis.legend(loc="lower left")


def _draw_strouhal(axis: Axes, cases: list[dict[str, Any]]) -> None:
    pairs = np.array([[one["strouhal_simulation"], one["strouhal"]] for one in cases], float)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if len(pairs):
        ends = np.array([pairs.min() - 0.01, pairs.max() + 0.01])
        axis.plot(ends, ends, color=BLACK, lw=0.8)
        axis.fill_between(ends, 0.98 * ends, 1.02 * ends, color=GREY, alpha=0.3, lw=0, label="within 2 %")
        axis.plot(*pairs.T, "o", ms=3.5, color=BLUE)
        axis.legend(loc="upper left")
    axis.set(xlabel="Strouhal number, simulation", ylabel="Strouhal number, network")


def _draw_pair(axes: list[Axes], case: Case, pair: list[np.ndarray], what: str) -> None:
    """Simulation above network: vorticity of the last frame, speed of mean and fluctuation."""
    name = "vorticity" if what == "last" else "speed"
    velocities = [np.moveaxis(values[-2:], 0, -1)[None] for values in pair]
    shown = [case.quantities(velocity)[name] for velocity in velocities]
    norm = scales(case.quantities(velocities[0]), case.fluid)[name]
    for axis, values, who in zip(axes, shown, ("simulation", "network"), strict=True):
        case.draw(axis, values[0], norm, QUANTITIES[name][1])
        axis.set_ylabel(who)
    axes[0].set_title(f"{TITLES[what]}: {name}")


def _caption(about: dict[str, Any], case: Case) -> str:
    return (
        f"Rollouts of {about['n_frames']} frames of {len(about['cases'])} {about['part']} cases, beside"
        f" {about['n_simulated']} simulated frames. A rollout is bounded while its speed stays below"
        f" {about['bound']:g} times the largest of the simulation. Strouhal numbers: peak of the spectrum of the"
        f" momentum across the stream in the wake. Below: case {case.number}, Re ="
        f" {case.scalar('reynolds_number'):.3g}; the last frames need not be of one phase."
    )
