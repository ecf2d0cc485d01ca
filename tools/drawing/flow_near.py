"""A picture of flow at the points near bodies: the speed of the simulation, and how far answers are from it.

Units: speeds in percent of the reference velocity; places in cells of the stored grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.style import context

from runkit.errors import UserError
from runkit.folders import make_folders
from runkit.outputs import require_replaceable
from tools.drawing.flow_fields import BODY
from tools.drawing.picture import KINDS, OURS, Picture, save
from tools.drawing.style import STYLE

COLUMNS = 3
MARGIN = 1.5  # cells around the points
CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])


def squares(axis: Axes, centre: np.ndarray, width: np.ndarray, values: np.ndarray, norm: Normalize, colours: str):
    """Cells [n, 2] of widths [n] with a colour each, on grey, which is body or has no points."""
    shapes = centre[:, None] + width[:, None, None] * CORNERS
    drawn = PolyCollection(shapes, array=values, norm=norm, cmap=colours, linewidth=0)
    axis.add_collection(drawn)
    low, high = centre.min(axis=0) - MARGIN, centre.max(axis=0) + MARGIN
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal", xticks=[], yticks=[], facecolor=BODY)
    return drawn


def require_drawable(path: Path) -> None:
    """Raise UserError for a name of another kind of file, or of a file that is there and is no picture of ours."""
    if path.suffix[1:] not in KINDS:
        raise UserError(f"picture = {path}: allowed: a name that ends in .{', .'.join(KINDS)}")
    require_replaceable(path, OURS[path.suffix])


def draw(
    path: Path,
    places: tuple[np.ndarray, np.ndarray],
    wanted: np.ndarray,
    answers: Mapping[str, np.ndarray],
    caption: str = "",
) -> None:
    """Write the picture: `places` are centres and widths of points, velocities [2, point] in percent."""
    make_folders(path.parent)
    speed = np.hypot(*wanted)
    errors = {name: np.hypot(*(found - wanted)) for name, found in answers.items()}
    norm = Normalize(0, max(np.percentile(error, 98) for error in errors.values()))
    with context(STYLE):
        n_rows = -(-(1 + len(errors)) // COLUMNS)
        figure = Figure(figsize=(2.8 * COLUMNS, 2.6 * n_rows), layout="compressed")
        first, *others = figure.subplots(n_rows, COLUMNS, squeeze=False).flat
        drawn = squares(first, *places, speed, Normalize(0, speed.max()), "viridis")
        first.set_title("simulation")
        figure.colorbar(drawn, ax=first, shrink=0.8, location="left").set_label("speed [% of the reference velocity]")
        for axis, (name, error) in zip(others, errors.items(), strict=False):
            drawn = squares(axis, *places, error, norm, "magma")
            axis.set_title(name)
        for axis in others[len(errors) :]:
            axis.set_axis_off()
        bar = figure.colorbar(drawn, ax=[first, *others], shrink=0.8, extend="max", pad=0.02)
        bar.set_label("error of velocity [% of the reference velocity], all networks")
        told = f"Errors have the same colours, from 0 to {norm.vmax:.3g} %, the 98th percentile of the largest."
        save(Picture(path.stem, figure, "\n".join([caption, told])), path.parent, path.suffix[1:])
