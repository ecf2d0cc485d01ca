"""The result of an evaluation: tables for the terminal, JSON and CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dtrain.folder import write_json, write_table
from dtrain.glass import published
from dtrain.glass.scores import FIGURES, Estimate, Score

BONDS = "bonds"  # what is scored: bonds, or particles by the letter of their species
# Heads of the columns: figure of a score -> words.
HEADS = {
    "pearson": "rho",
    "pooled": "pooled rho",
    "spearman": "Spearman",
    "slope": "slope",
    "top": "top 10 %",
    "bias": "bias",
    "mean_error": "mean error",
    "chi4": "chi_4",
}
WIDTH = 14  # of a column: 0.752 +- 0.012


@dataclass(frozen=True)
class Row:
    """A predictor with its scores by kind: "A", "B", … for particles of a species, and BONDS."""

    name: str
    scores: Mapping[str, Score]


def letter(species: int) -> str:
    """The name of a species: A, B, …; beyond Z its number."""
    return chr(ord("A") + species) if species < 26 else str(species)


def figures_of(score: Score) -> Iterator[tuple[str, Estimate]]:
    """Name and estimate of every figure that a score has."""
    for name in FIGURES:
        if (found := getattr(score, name)) is not None:
            yield name, found


def report(folder: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Print the tables and write evaluation.json and evaluation.csv; raises UserError if the folder refuses.

    `about` says what was evaluated: temperature, time, samples, part, n_train, n_replicas, file, `ceiling`, `chi4` of
    the simulation against time, and whether it `is_published`, that is, of the published system.
    """
    known = published.pearson(about["temperature"], about["time"]) if about["is_published"] else {}
    print("\n".join(table(about, rows, known)))
    scores = [{"name": row.name, **{kind: asdict(score) for kind, score in row.scores.items()}} for row in rows]
    write_json(folder / "evaluation.json", {**about, "rows": scores, "published": known})
    heads, *lines = spreadsheet(about, rows, known)
    write_table(folder / "evaluation.csv", (dict(zip(heads, line, strict=True)) for line in lines))
    print(f"wrote evaluation.json, evaluation.csv and predictions to {folder}")


def table(about: dict[str, Any], rows: Sequence[Row], known: dict[str, float]) -> list[str]:
    """Lines of the tables: ours by kind, the ceiling, and what was published for the same temperature and time."""
    limit = f"noise ceiling, {about['part']}"
    width = max(20, len(limit), *(len(row.name) for row in rows))
    lines = [
        f"T = {about['temperature']:g}, t = {about['time']:g}: {len(about['samples'])} {about['part']} samples of "
        f"{about['file']} ({about['n_replicas']} replicas); {about['n_train']} to train on",
        "+-: standard error over samples; slope 1 is calibrated; bias and mean error are those of a sample's mean",
    ]
    for kind in kinds_of(rows):
        chosen = [row for row in rows if kind in row.scores]
        heads = [name for name in HEADS if getattr(chosen[0].scores[kind], name) is not None]
        lines += ["", _title(kind).ljust(width) + "".join(HEADS[name].rjust(WIDTH) for name in heads)]
        for row in chosen:
            numbers = [_number(name, getattr(row.scores[kind], name)) for name in heads]
            lines.append(row.name.ljust(width) + "".join(text.rjust(WIDTH) for text in numbers))
        if (reached := about["ceiling"].get(kind)) is not None:
            lines.append(limit.ljust(width) + f"{reached:.3f}".rjust(WIDTH - 9))
        lines += _susceptibility(about, kind, chosen[0].scores[kind], width)
    if known:
        told = ", ".join(f"{model} {value:.3f}" for model, value in known.items())
        lines += ["", f"published, A particles, 400 to train on: {told}"]
    return lines


def kinds_of(rows: Sequence[Row]) -> list[str]:
    """All kinds that somebody has a score of: particles by species, then bonds."""
    kinds = {kind for row in rows for kind in row.scores}
    return sorted(kinds, key=lambda kind: (kind == BONDS, kind))


def spreadsheet(about: dict[str, Any], rows: Sequence[Row], known: dict[str, float]) -> Iterator[list[Any]]:
    """Rows of the CSV file, the first with the names of the columns."""
    columns = [part for name in FIGURES for part in (name, f"{name}_error")]
    yield ["name", "kind", "temperature", "time", "n_samples", *columns]
    place, rest = [about["temperature"], about["time"]], [""] * (len(columns) - 1)
    for row in rows:
        for kind, score in row.scores.items():
            found = dict(figures_of(score))
            numbers = [number for name in FIGURES for number in _both(found.get(name))]
            yield [row.name, kind, *place, score.n_samples, *numbers]
    for kind, value in about["ceiling"].items():
        yield ["noise ceiling", kind, *place, len(about["samples"]), f"{value:.6f}", *rest]
    for model, value in known.items():
        yield [f"published: {model}", "A", *place, 100, value, *rest]


def _title(kind: str) -> str:
    return "bonds (AA, r < 1.35)" if kind == BONDS else f"particles {kind}"


def _number(name: str, one: Estimate) -> str:
    """An estimate for the table; figures that may have either sign show it."""
    digits = ".2f" if name == "chi4" and abs(one.value) >= 1 else ".3f"
    value = format(one.value, f"+{digits}" if name == "bias" else digits) if math.isfinite(one.value) else "-"
    return f"{value} +- {format(one.error, digits)}" if math.isfinite(one.error) else value + " " * 9


def _susceptibility(about: Mapping[str, Any], kind: str, score: Score, width: int) -> list[str]:
    """The line of chi_4 in the simulation, and where it peaks."""
    if score.chi4_simulated is None:
        return []
    text = "chi_4 simulated".ljust(width) + _number("chi4", score.chi4_simulated).strip()
    highest = about["chi4"].get(kind, {}).get("peak")
    if highest:
        largest = _number("chi4", Estimate(highest["value"], highest["error"])).strip()
        text += f"; largest of all times: {largest} at t = {highest['time']:g}"
    return [text]


def _both(one: Estimate | None) -> list[str]:
    numbers = [one.value, one.error] if one else [math.nan, math.nan]
    return ["" if math.isnan(number) else f"{number:.6f}" for number in numbers]
