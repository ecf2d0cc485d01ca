"""The picture of the README, and small copies of others for the documentation (`tools/pictures`).

python -m tools.drawing.overview data/glass.h5 runs/glass/times/T0.64_t16.5 data/flow.h5 runs/flow overview.png
python -m tools.drawing.overview --small figures/flow_cases.png flow_cases.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageSequence

from dtrain.metrics import pearson
from runkit.dataset.reader import Dataset
from tools.drawing.calibration import calibrated
from tools.drawing.flow_fields import QUANTITIES, scales
from tools.drawing.flow_rollouts import rollout
from tools.drawing.particles import MOBILE, circles, colours_of
from tools.drawing.picture import MARK
from tools.drawing.runs import Run, find_runs, limit
from tools.drawing.style import STYLE

FRAME = 9  # of the rollout, counted from 1; the last one of a shorter one
WIDTH = {"PNG": 1000, "GIF": 500}  # pixels of small copies
COLOURS = 64


def draw_overview(glass: Path, glass_run: Run, flow: Path, flow_run: Run, path: Path) -> None:
    """Mobility of a glass former and a vortex street: simulation beside network, each pair in the same colours."""
    figure, axes = plt.subplots(1, 4, figsize=(10.4, 3.0), layout="compressed")
    with Dataset(glass) as data:
        _draw_glass(axes[:2], data, glass_run)
    with Dataset(flow) as data:
        _draw_flow(axes[2:], data, flow_run)
    for axis in axes:
        axis.set(xticks=[], yticks=[], xlabel="", ylabel="")
    figure.savefig(path, dpi=150, metadata={"Software": MARK})
    small(path, path)


def _draw_glass(axes: np.ndarray, data: Dataset, run: Run) -> None:
    sample, i_time = run.about["samples"][0], run.about["i_time"]
    is_a, truth = data["species"][sample] == 0, data["propensity"][sample, i_time]
    path, _ = run.predictions[-1]
    values, _ = calibrated(data, run, path, sample)
    norm = colours_of(truth[is_a])
    for axis, shown in zip(axes, (truth, values), strict=True):
        circles(axis, data, sample, MOBILE(norm(shown)))
    time = f"$t$ = {run.about['time']:g} $\\tau_{{\\rm LJ}}$"
    axes[0].set_title(f"mobility in a glass former, {time}\nsimulation")
    rho = f"$\\rho$ = {pearson(values[is_a], truth[is_a]):.2f}{limit(data, sample, i_time)}"
    axes[1].set_title(f"model{run.simulates or f', {run.trained}'}\n{rho}")


def _draw_flow(axes: np.ndarray, data: Dataset, run: Run) -> None:
    case, truth, found = rollout(data, run)
    norm, colours = scales(truth, case.fluid)["vorticity"], QUANTITIES["vorticity"][1]
    frame = min(FRAME, run.about["n_frames"])
    for axis, shown in zip(axes, (truth, found), strict=True):
        case.draw(axis, shown["vorticity"][frame - 1], norm, colours)
    steps = frame * run.about["interval"]
    axes[0].set_title(f"vorticity behind a body, Re = {case.scalar('reynolds_number'):.0f}\nsimulation")
    axes[1].set_title(f"network, {run.trained}\nits own {steps:.0f} steps, fed back")


def small(source: Path, target: Path) -> None:
    """A copy that is no wider than `WIDTH`; a GIF keeps its frames and its pace, and has fewer colours."""
    with Image.open(source) as image:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
        pace = image.info.get("duration", 0)
    widest = WIDTH["PNG" if len(frames) == 1 else "GIF"]
    if frames[0].width > widest:
        size = widest, round(frames[0].height * widest / frames[0].width)
        frames = [frame.resize(size, Image.Resampling.LANCZOS) for frame in frames]
    if len(frames) == 1:
        frames[0].save(target, optimize=True)
        return
    palette = frames[-1].quantize(COLOURS)  # one for all: what stands still does not flicker
    reduced = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    reduced[0].save(target, optimize=True, save_all=True, append_images=reduced[1:], duration=pace, loop=0)


def main(words: list[str]) -> None:
    """Called by tools/pictures."""
    if words[0] == "--small":
        small(Path(words[1]), Path(words[2]))
        return
    glass, glass_run, flow, flow_run, path = map(Path, words)
    with plt.rc_context(STYLE):
        draw_overview(glass, find_runs([glass_run])[0], flow, find_runs([flow_run])[0], path)


if __name__ == "__main__":
    main(sys.argv[1:])
