"""The result of an evaluation: a table for the terminal, JSON and CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dtrain.glass import published
from dtrain.metrics import Score
from dtrain.tables import write_json, write_table

KINDS = {"node": "particles (A)", "edge": "bonds (AA, r < 1.35)"}


@dataclass(frozen=True)
class Row:
    """A predictor with its scores of particles and of bonds, None where there are none."""

    name: str
    node: Score | None
    edge: Score | None


def report(folder: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Print the table and write evaluation.json and evaluation.csv; raises UserError if the folder refuses.

    `about` says what was evaluated: temperature, time, samples, part, n_train, n_replicas, file, `ceiling`, and whether
    it `is_published`, that is, of the published system.
    """
    known = published.pearson(about["temperature"], about["time"]) if about["is_published"] else {}
    print("\n".join(table(about, rows, known)))
    scores = [
        {"name": row.name, **{kind: asdict(score) for kind in KINDS if (score := getattr(row, kind))}} for row in rows
    ]
    write_json(folder / "evaluation.json", {**about, "rows": scores, "published": known})
    heads, *lines = spreadsheet(about, rows, known)
    write_table(folder / "evaluation.csv", (dict(zip(heads, line, strict=True)) for line in lines))
    print(f"wrote evaluation.json, evaluation.csv and predictions to {folder}")


def table(about: dict[str, Any], rows: Sequence[Row], known: dict[str, float]) -> list[str]:
    """Lines of the table: ours, the ceiling, and what was published for the same temperature and time."""
    limit = f"noise ceiling, {about['part']}"
    width = max(20, len(limit), *(len(row.name) for row in rows))
    kinds = [kind for kind in KINDS if any(getattr(row, kind) for row in rows)]
    columns = f"{'rho':>7} {'+-':>6} {'pooled':>7} {'bias':>7}"
    lines = [
        f"T = {about['temperature']:g}, t = {about['time']:g}: {len(about['samples'])} {about['part']} samples of "
        f"{about['file']} ({about['n_replicas']} replicas); {about['n_train']} to train on",
        " " * width + "".join(f"   {KINDS[kind]:^{len(columns)}}" for kind in kinds),
        " " * width + f"   {columns}" * len(kinds),
    ]
    for row in rows:
        lines.append(row.name.ljust(width) + "".join("   " + _numbers(getattr(row, kind)) for kind in kinds))
    ceilings = [about["ceiling"].get(kind) for kind in kinds]
    shown = [f"{value:7.3f}" if value is not None else f"{'-':>7}" for value in ceilings]
    lines.append(limit.ljust(width) + "".join("   " + text.ljust(len(columns)) for text in shown).rstrip())
    if known:
        lines.append("published, particles, 400 to train on: " + ", ".join(f"{k} {v:.3f}" for k, v in known.items()))
    return lines


def spreadsheet(about: dict[str, Any], rows: Sequence[Row], known: dict[str, float]) -> Iterator[list[Any]]:
    """Rows of the CSV file, the first with the names of the columns."""
    yield ["name", "kind", "temperature", "time", "n_samples", "pearson", "standard_error", "pooled", "bias"]
    place = [about["temperature"], about["time"]]
    for row in rows:
        for kind in KINDS:
            score: Score | None = getattr(row, kind)
            if score:
                numbers = [score.pearson, score.standard_error, score.pooled, score.bias]
                yield [
                    row.name,
                    kind,
                    *place,
                    score.n_samples,
                    *("" if math.isnan(number) else f"{number:.6f}" for number in numbers),
                ]
    for kind, value in about["ceiling"].items():
        yield ["noise ceiling", kind, *place, len(about["samples"]), f"{value:.6f}", "", "", ""]
    for model, value in known.items():
        yield [f"published: {model}", "node", *place, 100, value, "", "", ""]


def _numbers(score: Score | None) -> str:
    if score is None:
        return f"{'-':>7} {'':>6} {'':>7} {'':>7}"
    error = f"{score.standard_error:6.3f}" if score.n_samples > 1 else f"{'-':>6}"
    return f"{score.pearson:7.3f} {error} {score.pooled:7.3f} {score.bias:+7.3f}"
