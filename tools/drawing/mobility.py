"""An animation of a glass: where one trajectory goes, and which regions are mobile in all of them.

Units: Lennard-Jones.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from tools.drawing.particles import MOBILE, SLAB, circles, colours_of
from tools.drawing.picture import Picture
from tools.drawing.runs import source

FEWEST_FRAMES = 8  # times in a file, below which there is nothing to animate


def animate_mobility(data: Dataset) -> Picture:
    """Particles of one replica where they are, and all replicas' mean displacement at the initial positions."""
    sample = int(np.flatnonzero(data["labelled"][:] == COMPLETE)[0])
    start, time, n_replicas = data["initial_position"][sample], data["time"][:], data.sizes["replica"]
    norm = colours_of(data["propensity"][sample, -1][data["species"][sample] == 0])
    norm.vmin = 0.0
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.9), dpi=80, layout="compressed", sharey=True)
    bar = figure.colorbar(plt.cm.ScalarMappable(norm, MOBILE), ax=axes, extend="max", pad=0.015)
    bar.set_label(r"displacement [$\sigma$]")
    title = figure.suptitle(" ")

    def show(frame: int) -> None:
        position = data["position"][sample, frame, 0].astype(float)
        moved = np.linalg.norm(position - start, axis=-1)
        for axis in axes:
            axis.clear()
        circles(axes[0], data, sample, MOBILE(norm(moved)), position)
        circles(axes[1], data, sample, MOBILE(norm(data["propensity"][sample, frame])))
        axes[0].set(title="one trajectory", xlabel=r"$x\ [\sigma]$", ylabel=r"$y\ [\sigma]$")
        axes[1].set(title=f"propensity: mean of {n_replicas} trajectories", xlabel=r"$x\ [\sigma]$")
        title.set_text(f"$T$ = {data['temperature'][sample]:g}, $t$ = {time[frame]:g} $\\tau_{{\\rm LJ}}$")

    show(0)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # the same places in all frames
    caption = [
        f"Mobile regions of a glass former: a slab of {SLAB:g} sigma of {len(start)} particles. Left: where particles"
        " of one trajectory are, coloured by how far they have gone. Right: propensity, the mean over"
        f" {n_replicas} trajectories from the same configuration with fresh velocities, at the initial positions.",
        f"Both have the same colours, from 0 to {norm.vmax:.3g} sigma, the 98th percentile of the last propensity.",
    ]
    film = FuncAnimation(figure, show, frames=len(time))
    return Picture("mobile_regions", film, "\n".join([*caption, source(data)]))
