"""Rollouts beside the simulation: strips of frames, animations, and networks or cases one below the other.

Layout of the variants: report of JHPCN project jh220052 (2022), figure 6.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.colors import Normalize

from runkit.dataset.reader import Dataset
from tools.drawing.flow_fields import QUANTITIES, UNITS, Case, error_scale, predicted, scales, told_scales
from tools.drawing.picture import Picture
from tools.drawing.runs import Run, source

COLUMNS = 6


def draw_rollout(data: Dataset, run: Run) -> Picture:
    """Speed and vorticity along the rollout of the first scored case: simulation, network, and their difference."""
    case, simulated, found = rollout(data, run)
    frames = _chosen(run.about["n_frames"])
    norms = scales(simulated, case.fluid)
    width = 1.45 * len(frames) + 1.6
    figure, axes = plt.subplots(6, len(frames), figsize=(width, 9.2), squeeze=False, layout="compressed")
    for i, (name, (label, colours, error_colours)) in enumerate(QUANTITIES.items()):
        rows = axes[3 * i : 3 * i + 3]
        for column, frame in zip(rows.T, frames, strict=True):
            pair = simulated[name][frame - 1], found[name][frame - 1]
            for axis, values in zip(column[:2], pair, strict=True):
                image = case.draw(axis, values, norms[name], colours)
            error_norm = error_scale(pair[1] - pair[0], norms[name])
            error = case.draw(column[2], pair[1] - pair[0], error_norm, error_colours)
        for axis, what in zip(rows[:, 0], ("simulation", run.rows[0]["name"], "difference"), strict=True):
            axis.set_ylabel(what)
        figure.colorbar(image, ax=list(rows[:2].ravel()), extend="both", pad=0.015).set_label(label)
        figure.colorbar(error, ax=list(rows[2]), extend="both", pad=0.015)
    _name_frames(axes[0], frames)
    figure.suptitle(f"{_title(case, run)}; {run.rows[0]['name']}, {run.trained}")
    return Picture(f"rollout_{run.name}", figure, _caption(data, run, norms))


def animate_rollout(data: Dataset, run: Run) -> Picture:
    """The same as an animation: columns are simulation, network and difference, rows speed and vorticity."""
    case, simulated, found = rollout(data, run)
    norms = scales(simulated, case.fluid)
    figure, axes = plt.subplots(2, 3, figsize=(7.4, 4.9), dpi=80, layout="compressed")
    images = []
    for (name, (label, colours, error_colours)), row in zip(QUANTITIES.items(), axes, strict=True):
        films = [simulated[name], found[name], found[name] - simulated[name]]
        looks = [(norms[name], colours)] * 2 + [(error_scale(films[2], norms[name]), error_colours)]
        drawn = [case.draw(a, film[0], *look) for a, film, look in zip(row, films, looks, strict=True)]
        figure.colorbar(drawn[0], ax=list(row[:2]), extend="both", pad=0.015, aspect=14).set_label(label)
        figure.colorbar(drawn[2], ax=row[2], extend="both", pad=0.03, aspect=14)
        images += list(zip(drawn, films, strict=True))
    for axis, what in zip(axes[0], ("simulation", run.rows[0]["name"], "difference"), strict=True):
        axis.set_title(what)
    errors = {row["name"]: row["frames"]["vrmse"] for row in run.rows}
    title = figure.suptitle("\n")
    figure.canvas.draw()
    figure.set_layout_engine("none")  # the same places in all frames

    def show(frame: int) -> None:
        for image, film in images:
            image.set_data(film[frame].T)
        ours, last = errors[run.rows[0]["name"]][frame], errors["persistence"][frame]
        title.set_text(
            f"{_title(case, run)}\nframe {frame + 1:3d}   mean VRMSE {ours:.2f}   (last frame repeated: {last:.2f})"
        )

    film = FuncAnimation(figure, show, frames=run.about["n_frames"])
    return Picture(f"rollout_{run.name}", film, _caption(data, run, norms))


def draw_variants(data: Dataset, runs: dict[str, Run]) -> Picture:
    """Vorticity of the simulation and of every network along one rollout."""
    first = next(iter(runs.values()))
    case, simulated, _ = rollout(data, first)
    frames = _chosen(min(run.about["n_frames"] for run in runs.values()))
    shown = {"LBM": simulated} | {label: rollout(data, run)[2] for label, run in runs.items()}
    label, colours, _ = QUANTITIES["vorticity"]
    norms = scales(simulated, case.fluid)
    norm = norms["vorticity"]
    size = (1.45 * len(frames) + 1.6, 1.5 * len(shown) + 0.5)
    figure, axes = plt.subplots(len(shown), len(frames), figsize=size, squeeze=False, layout="compressed")
    for row, (name, films) in zip(axes, shown.items(), strict=True):
        for axis, frame in zip(row, frames, strict=True):
            image = case.draw(axis, films["vorticity"][frame - 1], norm, colours)
        row[0].set_ylabel(name)
    _name_frames(axes[0], frames)
    figure.colorbar(image, ax=axes, extend="both", pad=0.015, aspect=30).set_label(label)
    figure.suptitle(_title(case, first))
    return Picture("rollout_variants", figure, _caption(data, first, norms))


def draw_range(data: Dataset, run: Run) -> Picture:
    """Vorticity along rollouts of the scored cases of lowest and highest Reynolds number: simulation and network."""
    numbers = sorted(run.about["cases"], key=lambda number: Case(data, number).scalar("reynolds_number"))
    frames, ends = _chosen(run.about["n_frames"]), (numbers[0], numbers[-1])
    label, colours, _ = QUANTITIES["vorticity"]
    size = (1.45 * len(frames) + 1.6, 5.2)
    figure, axes = plt.subplots(4, len(frames), figsize=size, squeeze=False, layout="compressed")
    largest = []
    for rows, number in zip((axes[:2], axes[2:]), ends, strict=True):
        case, simulated, found = rollout(data, run, number)
        norms = scales(simulated, case.fluid)
        for row, what, films in zip(rows, ("simulation", run.rows[0]["name"]), (simulated, found), strict=True):
            for axis, frame in zip(row, frames, strict=True):
                image = case.draw(axis, films["vorticity"][frame - 1], norms["vorticity"], colours)
            row[0].set_ylabel(f"{what}\nRe = {case.scalar('reynolds_number'):.3g}")
        figure.colorbar(image, ax=list(rows.ravel()), extend="both", pad=0.015).set_label(label)
        largest.append(f"{norms['vorticity'].vmax:.3g}")
    _name_frames(axes[0], frames)
    about = f"{run.about['part']} cases {ends[0]} and {ends[1]}, {run.about['interval']:g} steps per frame"
    figure.suptitle(f"{about}; {run.rows[0]['name']}, {run.trained}")
    caption = (
        f"Rollouts of {run.about['part']} cases {ends[0]} and {ends[1]}, which have the lowest and the highest Reynolds"
        f" number of {len(numbers)}: {run.about['n_given']} frames were given, then predictions fed back."
        f" Vorticity up to {largest[0]} U/D above and {largest[1]} U/D below, the 99th percentiles of its size. {UNITS}"
    )
    return Picture(f"rollout_range_{run.name}", figure, f"{caption}\n{source(data)}")


def _caption(data: Dataset, run: Run, norms: dict[str, Normalize]) -> str:
    about = run.about
    return "\n".join(
        [
            f"A rollout: the network ({run.trained}) was given {about['n_given']} frames of {about['part']} case"
            f" {about['cases'][0]} and fed with its own predictions for {about['n_frames']} frames, which are"
            f" {about['interval']:g} steps apart; frames count from the first predicted one.",
            f"Simulation and networks have the same colours. {told_scales(norms)} {UNITS} Differences (network minus"
            " simulation) have half the range of what they belong to.",
            source(data),
        ]
    )


def rollout(
    data: Dataset, run: Run, number: int | None = None
) -> tuple[Case, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A scored case, by default the first, and what was simulated and predicted of it from the first prediction on."""
    about = run.about
    case = Case(data, about["cases"][0] if number is None else number)
    begin = about["start"] + about["n_given"]
    simulated = case.velocity(slice(begin, begin + about["n_frames"]))
    return case, case.quantities(simulated), case.quantities(predicted(run, case.number))


def _chosen(n_frames: int) -> list[int]:
    """Frames to show, counted from 1, ever farther apart: equal steps may meet a vortex street in one phase."""
    return np.unique(np.geomspace(1, n_frames, COLUMNS).round().astype(int)).tolist()


def _name_frames(axes: np.ndarray, frames: list[int]) -> None:
    for axis, frame in zip(axes, frames, strict=True):
        axis.set_title(f"frame {frame}")


def _title(case: Case, run: Run) -> str:
    part = "" if run.about["part"] == "all" else f"{run.about['part']} "
    number = case.scalar("reynolds_number")
    return f"{part}case {case.number}, Re = {number:.3g}, {run.about['interval']:g} steps per frame"
