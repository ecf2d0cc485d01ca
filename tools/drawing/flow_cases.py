"""A card of a FLOW file: some of its cases."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import numpy as np

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from tools.drawing.flow_fields import QUANTITIES, Case, scales, told_scales
from tools.drawing.picture import Picture
from tools.drawing.runs import source

COLUMNS = 5


def draw_cases(data: Dataset) -> Picture:
    """Speed and vorticity of the last frame of up to five cases, evenly chosen in order of Reynolds number."""
    done = np.flatnonzero(data["computed"][:] == COMPLETE)
    done = done[np.argsort(data["scalars/reynolds_number"][:][done], kind="stable")]
    chosen = done[np.unique(np.linspace(0, len(done) - 1, COLUMNS).round().astype(int))]
    cases = [Case(data, int(number)) for number in chosen]
    shown = [case.quantities(case.velocity(slice(-1, None))) for case in cases]
    aspect = data.sizes["x"] / data.sizes["y"]
    width = min(2.0 * max(1.0, aspect), max(2.0, 6.0 / len(cases)))
    size = (width * len(cases) + 0.8, 2 * width / aspect + 1.0)
    figure, axes = plt.subplots(2, len(cases), figsize=size, squeeze=False, layout="compressed")
    norms = scales(shown[len(shown) // 2], cases[len(cases) // 2].fluid)
    for (name, (label, colours, _)), row in zip(QUANTITIES.items(), axes, strict=True):
        for axis, case, values in zip(row, cases, shown, strict=True):
            image = case.draw(axis, values[name][0], norms[name], colours)
        figure.colorbar(image, ax=list(row), extend="both", pad=0.015).set_label(label)
    for axis, case in zip(axes[0], cases, strict=True):
        axis.set_title(f"case {case.number}: {_bodies(data, case.number)}\nRe = {case.scalar('reynolds_number'):.3g}")
    sizes = data.sizes
    number = "1 case" if len(done) == 1 else f"{len(done)} cases"
    what = f"{number}, {sizes['time']} frames of {sizes['x']} × {sizes['y']} cells; the last one"
    figure.suptitle(f"{data.path.name}: {what}")
    caption = [
        f"Flow from left to right past bodies (grey): {len(cases)} of {what}, in order of Reynolds number.",
        f"Each row has the same colours. {told_scales(norms)}",
        source(data),
    ]
    return Picture("flow_cases", figure, "\n".join(caption))


def _bodies(data: Dataset, case: int) -> str:
    """Families of the obstacles of a case."""
    obstacles = json.loads(data["description"][case]).get("obstacles", [])
    return ", ".join(sorted({str(obstacle["family"]) for obstacle in obstacles})) or "no obstacle"
