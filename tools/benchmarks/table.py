"""One table for all subjects: ours, the peer, their ratio, and how near ours comes to what the machine allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """Rates of one case, measured in turns; `limit` is a bound on ours, `target` what the ratio should be."""

    case: str
    ours: list[float]
    peer: list[float]
    limit: float
    target: float

    @property
    def ratios(self) -> np.ndarray:
        return np.array(self.ours) / np.array(self.peer)


def show(rows: list[Row], unit: str, peer: str) -> str:
    """The table as text: medians, with the range of the ratio over the turns."""
    head = ("case", f"ours, {unit}", f"{peer}, {unit}", "ratio", "range", "target", f"limit, {unit}", "ours / limit")
    lines = [
        (
            row.case,
            f"{np.median(row.ours):.2f}",
            f"{np.median(row.peer):.2f}",
            f"{np.median(row.ratios):.2f}",
            f"{row.ratios.min():.2f}-{row.ratios.max():.2f}",
            f"{row.target:g}",
            f"{row.limit:.1f}",
            f"{np.median(row.ours) / row.limit:.2f}",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (head, *lines)]
    text.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in text)
