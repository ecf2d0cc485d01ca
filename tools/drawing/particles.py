"""Particles of a slab as circles, the redder the more mobile."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize

from runkit.dataset.reader import Dataset

MOBILE = LinearSegmentedColormap.from_list("mobile", ["#ffffff", "#fdd0bc", "#f4694c", "#b1121d", "#5c0010"])
DIAMETER = np.array([1.0, 0.88, 0.8])  # of the circles of species A, B, others
SLAB = 1.0  # thickness
STYLE: dict[str, Any] = {"edgecolors": "#333333", "linewidths": 0.35}


def colours_of(truth: np.ndarray) -> Normalize:
    """The range of colours that suits simulated values; predictions have the same."""
    return Normalize(*np.percentile(truth, (4, 98)))


def circles(axis: Axes, data: Dataset, sample: int, color: np.ndarray, position: np.ndarray | None = None) -> None:
    """Particles of the slab in the middle of the box, with images at the edges; `color` is [particle, 4].

    `position` is where they are, by default at time 0.
    """
    box, species = data["box"][sample], data["species"][sample]
    position = data["initial_position"][sample] if position is None else position
    position = position - box * np.floor(position / box)
    inside = np.flatnonzero(np.abs(position[:, 2] - box[2] / 2) < SLAB / 2)
    inside = inside[np.argsort(position[inside, 2])]  # the upper ones in front
    diameter = DIAMETER[np.minimum(species[inside], len(DIAMETER) - 1)]
    for image in np.ndindex(3, 3):
        centre = position[inside, :2] + (np.array(image) - 1) * box[:2]
        near = ((centre > -1) & (centre < box[:2] + 1)).all(axis=1)
        axis.add_collection(
            EllipseCollection(
                diameter[near], diameter[near], np.zeros(near.sum()), units="xy", facecolors=color[inside[near]],
                offsets=centre[near], offset_transform=axis.transData, **STYLE,
            )
        )  # fmt: skip
    axis.set(xlim=(0, box[0]), ylim=(0, box[1]), aspect="equal", facecolor="#e8ebee")
    axis.spines[:].set_visible(True)
