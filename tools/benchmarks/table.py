"""One table for all subjects: ours, a peer, their ratio, and what fraction ours is of what the machine allows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import floor, isnan, log10, nan

import numpy as np

WIDTHS = (46, 0, 0, 18, 0, 0, 17)  # of columns whose head is shorter than what comes below it


@dataclass(frozen=True)
class Row:
    """Rates of one case, measured in turns; `limit` is a bound on ours. NaN is what there is not."""

    case: str
    ours: Sequence[float]
    peer: Sequence[float] = (nan,)
    limit: float = nan
    target: str = "-"

    def cells(self) -> tuple[str, ...]:
        """Medians over the turns, and the range of the ratio."""
        ours, ratio = float(np.median(self.ours)), np.array(self.ours) / np.array(self.peer)
        fraction, among = ours / self.limit, f"{np.median(ratio):.2f} ({ratio.min():.2f}-{ratio.max():.2f})"
        return (
            self.case,
            _three_digits(ours),
            _three_digits(float(np.median(self.peer))),
            "-" if isnan(ratio[0]) else among,
            _three_digits(self.limit),
            "-" if isnan(fraction) else f"{fraction:.2f}",
            self.target,
        )


def show(rows: Iterable[Row], unit: str, peer: str = "peer") -> None:
    """Print rates in `unit` as a Markdown table, each row as soon as it has been measured."""
    head = ("case", f"ours, {unit}", f"{peer}, {unit}", "ratio (range)", f"limit, {unit}", "fraction", "target")
    widths = [max(len(title), width) for title, width in zip(head, WIDTHS, strict=True)]
    for cells in chain((head, ["-" * width for width in widths]), (row.cells() for row in rows)):
        print("|", " | ".join(map(str.ljust, cells, widths)), "|", flush=True)


def _three_digits(rate: float) -> str:
    return "-" if isnan(rate) else f"{rate:.{max(0, 2 - floor(log10(rate)))}f}"
