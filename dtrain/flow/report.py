"""The result of an evaluation of flow: a table for the terminal, JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dtrain.flow.headline import MEANING, lines_of, spread
from dtrain.flow.scores import SCORES, Row
from dtrain.tables import write_json, write_table

SHOWN = (1, 3, 10, 30, 100, 300)  # frames of the table


def report(folder: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Print the table and write evaluation.json and evaluation.csv; raises UserError if the folder refuses.

    `about` describes what was evaluated: file, part, cases, n_train, n_given, n_frames, interval, seconds_per_frame,
    precision, compile.
    """
    print("\n".join(table(about, rows)))
    found = [
        {
            "name": row.name,
            "mean": row.mean,
            "per_case": {name: values.tolist() for name, values in row.per_case.items()},
            "spread": {name: spread(values)[1] for name, values in row.per_case.items()},
            "frames": {name: values.tolist() for name, values in row.per_frame.items()},
            "cases": {name: values.tolist() for name, values in row.scores.items()},
        }
        for row in rows
    ]
    write_json(folder / "evaluation.json", {**about, "scores": SCORES, "rows": found})
    write_table(folder / "evaluation.csv", _spreadsheet(about, rows))
    print(f"wrote evaluation.json, evaluation.csv and predictions to {folder}")


def table(about: dict[str, Any], rows: Sequence[Row]) -> list[str]:
    """Lines of the table: the network, its rivals, and what the simulation itself has."""
    n_frames = about["n_frames"]
    shown = [frame for frame in SHOWN if frame < n_frames] + [n_frames]
    width = max(len(row.name) for row in rows) + 2
    lines = [
        f"{about['file']}: {len(about['cases'])} {about['part']} cases, {n_frames} frames rolled out from "
        f"{about['n_given']} given ({about['interval']:g} steps apart); {about['n_train']} cases to train on",
        " " * width + "VRMSE of frame".ljust(8 * len(shown) + 1) + "wake,   followed,  divergence  spectrum",
        " " * width + "".join(f"{frame:<8}" for frame in shown) + " VRMSE   frames",
    ]
    for row in rows:
        per_frame, mean = row.per_frame["vrmse"], row.mean
        numbers = "".join(f"{per_frame[frame - 1]:<8.3f}" for frame in shown)
        rest = f"{mean['wake']:<8.3f}{mean['correlation_time']:<11.1f}{mean['divergence']:<12.3f}{mean['spectrum']:.3f}"
        lines.append(f"{row.name:<{width}}{numbers} {rest}")
    spreads = ", ± standard deviation over cases" if len(about["cases"]) > 1 else ""
    lines += ["", f"means over cases{spreads}:", *lines_of({row.name: row.per_case for row in rows}), *MEANING]
    milliseconds = 1000 * about["seconds_per_frame"]
    how = f"products in {about['precision']}{', compiled' * about['compile']}"
    lines.append(f"the network takes {milliseconds:.3g} ms per frame, with {how}")
    return lines


def _spreadsheet(about: dict[str, Any], rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """A row per predictor and frame: means over cases."""
    for row in rows:
        per_frame = row.per_frame
        for i in range(about["n_frames"]):
            numbers = {name: f"{values[i]:.6g}" for name, values in per_frame.items()}
            yield {"name": row.name, "frame": i + 1, "steps": (i + 1) * about["interval"], **numbers}
