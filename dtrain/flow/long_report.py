"""What rollouts without end leave: a table for the terminal, numbers and curves in long.json, fields in long.npz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.flow.headline import spread
from dtrain.flow.long import BOUND, LongCase
from dtrain.tables import write_json
from runkit.arrays import F64
from runkit.checkpoint import save_arrays

FILES = ("long.json", "long.npz")
# Number of a case -> its head in the table and how it is written there.
COLUMNS = {
    "case": ("case", ".0f"),
    "reynolds": ("Re", ".0f"),
    "frames": ("frames", ".0f"),
    "mean_vrmse": ("mean u", ".3f"),
    "rms_vrmse": ("rms u", ".3f"),
    "fluctuation_ratio": ("energy", ".3f"),
    "spectrum_error": ("spectrum", ".3f"),
    "strouhal_simulation": ("St sim", ".4f"),
    "strouhal": ("St", ".4f"),
    "lift_ratio": ("lift rms", ".3f"),
    "divergence_ratio": ("div/sim", ".2f"),
}
NOTES = (
    "mean u, rms u: VRMSE of the fields of mean velocity and of the rms of its fluctuation; spectrum: mean |log10",
    "ratio| over wave numbers; the others are the network's over the simulation's: energy of the fluctuation, rms of",
    "the momentum across the stream in the wake, rms divergence",
)


def write_long(folder: Path, about: dict[str, Any], cases: Sequence[LongCase]) -> dict[str, float]:
    """Print the table, write both files and return the means over cases; raises UserError if the folder refuses."""
    numbers = [case.numbers() for case in cases]
    means = {name: spread(np.array([row[name] for row in numbers]))[0] for name in numbers[0] if name != "case"}
    print("\n".join(table(about, numbers)))
    curves = [
        {
            "ends": case.network.ends.tolist(),
            "network": _relative(case.network.curve, case.simulation.curve),
            "simulation": _relative(case.simulation.curve, case.simulation.curve),
            "spectrum": case.network.spectrum.tolist(),
            "spectrum_simulation": case.simulation.spectrum.tolist(),
        }
        for case in cases
    ]
    found = [{**row, **curve} for row, curve in zip(numbers, curves, strict=True)]
    write_json(folder / FILES[0], {"data": "flow", **about, "bound": BOUND, "mean": means, "cases": found})
    fields: dict[str, Any] = {"fluid": np.stack([case.fluid for case in cases])}
    for place, name in enumerate(("network", "simulation")):
        summaries = [getattr(case, name) for case in cases]
        fields[f"{name}_mean"] = np.stack([one.mean for one in summaries])
        fields[f"{name}_rms"] = np.stack([one.rms for one in summaries])
        fields[f"{name}_last"] = np.stack([case.last[place] for case in cases])
    save_arrays(folder / FILES[1], **fields)
    print(f"wrote {' and '.join(FILES)} to {folder}")
    return {f"long_{name}": value for name, value in means.items()}


def table(about: dict[str, Any], numbers: Sequence[dict[str, float]]) -> list[str]:
    """Lines: a case each, then means and standard deviations over cases."""
    n_bounded = sum(row["bounded"] > 0 for row in numbers)
    lines = [
        f"{about['file']}: {len(numbers)} {about['part']} cases went on for {about['n_frames']} frames: {n_bounded} "
        f"stayed within {BOUND:g} times the largest speed of the simulation ({about['n_simulated']} frames)",
        "".join(f"{head:>10}" for head, _ in COLUMNS.values()),
    ]
    lines += ["".join(f"{row[name]:>10{form}}" for name, (_, form) in COLUMNS.items()) for row in numbers]
    means = {name: spread(np.array([row[name] for row in numbers], np.float64)) for name in COLUMNS}
    for i, word in enumerate(("mean", "spread")):
        cells = [f"{means[name][i]:>10{form}}" for name, (_, form) in COLUMNS.items() if name != "case"]
        lines.append(f"{word:>10}" + "".join(cells))
    return [*lines, *NOTES]


def _relative(curve: F64, simulated: F64) -> list[float]:
    """A curve over the simulation's mean of it."""
    found: list[float] = (curve / np.nanmean(simulated)).tolist()
    return found
