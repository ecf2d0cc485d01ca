"""A card of a FLOW file: some of its cases."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from tools.drawing.flow_fields import QUANTITIES, UNITS, Case, scales, told_scales
from tools.drawing.picture import Picture
from tools.drawing.runs import source

COLUMNS = 5


def draw_cases(data: Dataset) -> Picture:
    """Speed and vorticity of the last frame of up to five cases, evenly chosen in order of Reynolds number.

    Of flow in three dimensions: in a plane normal to z and in one normal to y, through the bodies.
    """
    done = np.flatnonzero(data["computed"][:] == COMPLETE)
    done = done[np.argsort(data["scalars/reynolds_number"][:][done], kind="stable")]
    chosen = done[np.unique(np.linspace(0, len(done) - 1, COLUMNS).round().astype(int))]
    is_solid = "z" in data.sizes  # three dimensions
    cuts = [[Case(data, int(number), normal) for number in chosen] for normal in ("zy" if is_solid else "z")]
    figure, axes = _panels([_aspect(cases[0]) for cases in cuts], len(chosen))
    told = []
    for cases, pair in zip(cuts, np.split(axes, len(cuts)), strict=True):
        norms = _draw_pair(figure, pair, cases, f"_{cases[0].normal}" if is_solid else "")
        told.append((f"In planes normal to {cases[0].normal}: " if is_solid else "") + told_scales(norms))
        for axis, case in zip(pair[0], cases, strict=True):
            axis.set_title(f"${case.normal}$ = {case.depth:.3g} $D$" if is_solid else "")
        for axis in pair[:, 0] if is_solid else ():
            axis.set_ylabel(f"${cases[0].axes[1]}$")
    for axis, case in zip(axes[0], cuts[0], strict=True):
        title = f"case {case.number}: {_bodies(data, case.number)}\nRe = {case.scalar('reynolds_number'):.3g}"
        axis.set_title(f"{title}\n{axis.get_title()}".rstrip())
    cells = " × ".join(str(data.sizes[axis]) for axis in cuts[0][0].space)
    number = "1 case" if len(done) == 1 else f"{len(done)} cases"
    what = f"{number}, {data.sizes['time']} frames of {cells} cells; the last one"
    figure.suptitle(f"{data.path.name}: {what}")
    caption = [
        f"Flow from left to right past bodies (grey): {len(chosen)} of {what}, in order of Reynolds number.",
        *["Each pair of rows is a cut through the bodies; vorticity is that about the normal of the plane."] * is_solid,
        f"Each row has the same colours. {' '.join(told)} {UNITS}",
        source(data),
    ]
    return Picture("flow_cases", figure, "\n".join(caption))


def _aspect(case: Case) -> float:
    """Length over height of a map."""
    length, height = (len(line) for line in case.grid)
    return length / height


def _panels(aspects: list[float], n_columns: int) -> tuple[Figure, np.ndarray]:
    """A figure with a pair of rows for each aspect: speed and vorticity."""
    width = min(2.0 * max(1.0, *aspects), max(2.0, 6.0 / n_columns))
    heights = [width / aspect for aspect in aspects for _ in range(2)]
    size = (width * n_columns + 0.8, sum(heights) + 0.5 + 0.5 * len(aspects))
    grid = {"height_ratios": heights}
    return plt.subplots(len(heights), n_columns, figsize=size, squeeze=False, layout="compressed", gridspec_kw=grid)


def _draw_pair(figure: Figure, rows: np.ndarray, cases: list[Case], about: str) -> dict[str, Normalize]:
    """Speed above vorticity of all cases; the ranges of their colours."""
    shown = [case.quantities(case.velocity(slice(-1, None))) for case in cases]
    norms = scales(shown[len(shown) // 2], cases[len(cases) // 2].fluid)
    for (name, (label, colours, _)), row in zip(QUANTITIES.items(), rows, strict=True):
        for axis, case, values in zip(row, cases, shown, strict=True):
            image = case.draw(axis, values[name][0], norms[name], colours)
        label = label.replace("omega", f"omega{about}")
        figure.colorbar(image, ax=list(row), extend="both", pad=0.015).set_label(label)
    return norms


def _bodies(data: Dataset, case: int) -> str:
    """Families of the obstacles of a case."""
    obstacles = json.loads(data["description"][case]).get("obstacles", [])
    return ", ".join(sorted({str(obstacle["family"]) for obstacle in obstacles})) or "no obstacle"
