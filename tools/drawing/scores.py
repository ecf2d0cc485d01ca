"""Correlation with the simulation against time, beside the noise ceiling and published models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from dtrain.glass import published
from dtrain.metrics import ceiling
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from tools.drawing.picture import Picture
from tools.drawing.runs import Run, source
from tools.drawing.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, TIME

KINDS = {"node": ("propensity", "particles (A)"), "edge": ("bond_change", r"bonds (AA, $r < 1.35\,\sigma$)")}
# By name of a row of an evaluation; the networks have the first look.
LOOKS = {"network": (RED, "o", 8), "linear": (BLUE, "D", 5)}
SHIFTS = {"network": 1.0, "linear": 1.075}  # of times, so that bars stand side by side
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
    entries = zip(*axes[0].get_legend_handles_labels(), strict=True)
    ours_first = sorted(entries, key=lambda entry: "published" in entry[1])
    figure.legend(*zip(*ours_first, strict=True), loc="outside right center")
    return Picture("rho_against_time", figure, _caption(data, bool(runs)))


def _caption(data: Dataset, has_runs: bool) -> str:
    lines = [
        "Pearson correlation with the simulation of the propensity of A particles (left) and of the change of the"
        " lengths of AA bonds (right), within a configuration.",
        "Dashed: what a perfect prediction would reach, given the noise of labels from finitely many replicas.",
    ]
    if has_runs:
        lines.append("Filled marks: means over the configurations held back; bars: standard errors over these.")
    if published.covers(data.config):
        lines.append(
            "Open marks: published models, trained on 400 configurations of 4096 particles"
            " (doi:10.5281/zenodo.10118191, doi:10.1063/5.0129791)."
        )
    return "\n".join([*lines, source(data)])


def _ours(axis: Axes, runs: Sequence[Run], kind: str) -> None:
    points: dict[str, list[tuple[float, float, float]]] = {}
    for run in runs:
        for row in run.rows:
            if row.get(kind) and row[kind]["pearson"] is not None:
                label = f"{row['name']}, {run.trained}"
                score = row[kind]
                points.setdefault(label, []).append(
                    (run.about["time"], score["pearson"], score["standard_error"] or 0.0)
                )
    for label, found in points.items():
        name = label.rpartition(", ")[0]
        color, marker, size = LOOKS.get(name, LOOKS["network"])
        time, rho, error = np.array(sorted(found)).T
        time = time * SHIFTS.get(name, 1.0)
        style: dict[str, Any] = {"color": color, "ms": size, "mec": "w", "mew": 0.6, "capsize": 2, "lw": 1.4}
        axis.errorbar(time, rho, error, fmt=marker, label=label, zorder=5, **style)


def _ceiling(axis: Axes, data: Dataset, field: str) -> None:
    """What a perfect prediction would reach."""
    if f"{field}_reliability" in data:
        done = data["labelled"][:] == COMPLETE
        limit = [ceiling(values) for values in data[f"{field}_reliability"][:][done].T]
        style: dict[str, Any] = {"color": BLACK, "ls": "--", "marker": "_", "ms": 14, "mew": 1.5, "zorder": 1}
        axis.plot(data["time"][:], limit, label=f"noise ceiling, all {done.sum()} samples", **style)


def _published(axis: Axes, temperature: float) -> None:
    times = published.times(temperature)
    if not times:
        return
    for model, (color, marker) in zip(published.MODELS, PUBLISHED, strict=True):
        values = [published.pearson(temperature, t)[model] for t in times]
        style: dict[str, Any] = {"color": color, "marker": marker, "ms": 3.5, "mfc": "w", "mew": 0.8, "lw": 0.9}
        axis.plot(times, values, label=f"{model}, published", zorder=3, **style)
    tau = next(value for known, value in published.TAU_ALPHA.items() if abs(known - temperature) < 1e-6)
    axis.axvline(tau, color="#cccccc", lw=0.8, zorder=0)
    axis.annotate(
        r"$\tau_\alpha$", (tau, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -9), textcoords="offset points"
    )
