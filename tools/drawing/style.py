"""What all pictures share: colours and type.

The colours are M. Okabe and K. Ito's, which people distinguish with any kind of colour vision.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"
TIME = r"$t\ [\tau_{\rm LJ}]$"

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.markersize": 5,
    "lines.linewidth": 1.2,
    "savefig.dpi": 200,
    "savefig.bbox": "tight",
    "figure.constrained_layout.use": True,
}


def legend(axis: Axes, **options) -> None:
    """A legend, where there is more than one entry."""
    if axis.get_legend_handles_labels()[0]:
        axis.legend(**options)
