"""The result of an evaluation: tables for the terminal, JSON and CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dtrain.glass import published
from dtrain.glass.published import Published
from dtrain.glass.scores import FIGURES, Estimate, Score
from dtrain.tables import write_json, write_table
from runkit.dataset.contracts.isoconfig import CLOSE_PAIR

CAGED = " (short simulation)"  # after the name of a predictor that takes cages from one
BONDS = "bonds"  # what is scored: bonds, or particles by the letter of their species
# Lines of the table: figure of a score -> words.
WORDS = {
    "pearson": "rho",
    "pooled": "pooled rho",
    "spearman": "Spearman",
    "slope": "slope (1: calibrated)",
    "top": "most mobile 10 % found",
    "bias": "bias",
    "mean_error": "error of a sample's mean",
    "chi4": "chi_4",
    "chi4_simulated": "chi_4, simulated",
}
WIDTH = 16  # least of a column: 0.752 +- 0.012
OVER = "over "  # before the name of a predictor: the lead of the first one


@dataclass(frozen=True)
class Row:
    """A predictor with its scores by kind: "A", "B", … for particles of a species, and BONDS."""

    name: str
    scores: Mapping[str, Score]


def figures_of(score: Score) -> Iterator[tuple[str, Estimate]]:
    """Name and estimate of every figure that a score has."""
    for name in FIGURES:
        if (found := getattr(score, name)) is not None:
            yield name, found


def report(folder: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Print the tables and write evaluation.json and evaluation.csv; raises UserError if the folder refuses.

    `about` is what was evaluated: temperature, time, samples, part, n_train, n_replicas, file, `ceiling`, `chi4` of
    the simulation against time, the `cage` of the network (replicas, time; None without), where it has `learnt`
    (temperature, time; None for those of the samples), the files of predictions of `rivals` by name, and whether it
    `is_published`, that is, of the published system.
    """
    known = published.scores(about["temperature"], about["time"]) if about["is_published"] else {}
    print("\n".join(table(about, rows, known)))
    scores = [{"name": row.name, **{kind: asdict(score) for kind, score in row.scores.items()}} for row in rows]
    for row, told in zip(rows[1:], scores[1:], strict=True):
        told["lead"] = {kind: asdict(found) for kind in row.scores if (found := lead(rows[0], row, kind))}
    write_json(
        folder / "evaluation.json",
        {**about, "rows": scores, "published": {model: one._asdict() for model, one in known.items()}},
    )
    heads, *lines = spreadsheet(about, rows, known)
    write_table(folder / "evaluation.csv", (dict(zip(heads, line, strict=True)) for line in lines))
    print(f"wrote evaluation.json, evaluation.csv and predictions to {folder}")


def table(about: dict[str, Any], rows: Sequence[Row], known: Mapping[str, Published]) -> list[str]:
    """Lines of the tables: ours by kind, the ceiling, and what was published for the same temperature and time."""
    lines = [
        f"T = {about['temperature']:g}, t = {about['time']:g}: {len(about['samples'])} {about['part']} samples of "
        f"{about['file']} ({about['n_replicas']} replicas); {about['n_train']} to train on; +- is the standard error "
        "over samples",
        *_of_cages(about, rows[0].name),
        *_from_elsewhere(about, rows[0].name),
    ]
    for kind in kinds_of(rows):
        lines += ["", *_of_kind(about, kind, [row for row in rows if kind in row.scores])]
    if known:
        lines += ["", "published, A particles:", *published.in_words(about["temperature"], about["time"])]
    return lines


def _of_cages(about: Mapping[str, Any], name: str) -> Iterator[str]:
    """What a network simulates before it answers."""
    if cage := about.get("cage"):
        within = f", and so beyond t = {about['time']:g}" if cage["time"] >= about["time"] else ""
        told = f"{cage['replicas']} trajectories of each configuration to t = {cage['time']:g}{within}"
        yield f"{name}: {told}; the other predictors know the structure alone, unless they say so"


def _from_elsewhere(about: Mapping[str, Any], name: str) -> Iterator[str]:
    """That a network answers for another temperature or time than those of the samples, and what others reached so."""
    if learnt := about.get("learnt"):
        yield f"{name}: answers for T = {learnt['temperature']:g}, t = {learnt['time']:g}"
        moments = ((one["temperature"], one["time"]) for one in (about, learnt))
        if about["is_published"] and (known := published.transferred(*moments)):
            told = ", ".join(f"{published.titled(model)} {value:.3f}" for model, value in known.items())
            yield f"published for the same, pooled, A particles: {told}"


def _of_kind(about: Mapping[str, Any], kind: str, rows: Sequence[Row]) -> Iterator[str]:
    """A line for each figure, a column for each predictor."""
    limit, ahead = f"noise ceiling, {about['part']}", f"rho of {rows[0].name} less this"
    left = max(len(limit), len(ahead) * (len(rows) > 1), *map(len, WORDS.values()))
    widths = [max(WIDTH, len(row.name)) + 2 for row in rows]
    yield _title(kind).ljust(left) + "".join(row.name.rjust(width) for row, width in zip(rows, widths, strict=True))
    for name, words in WORDS.items():
        found = [getattr(row.scores[kind], name) for row in rows]
        if found[0] is not None and any(math.isfinite(one.value) for one in found):
            texts = [_number(name, one).rjust(width) for one, width in zip(found, widths, strict=True)]
            yield words.ljust(left) + "".join(texts)
        if name == "pearson" and len(rows) > 1:
            leads = [number(one.value, one.error, "+.3f") if (one := lead(rows[0], row, kind)) else "" for row in rows]
            yield ahead.ljust(left) + "".join(text.rjust(width) for text, width in zip(leads, widths, strict=True))
        if name == "pearson" and (reached := about["ceiling"].get(kind)) is not None:
            yield limit.ljust(left) + f"{reached:.3f}".ljust(9).rjust(widths[0])
    highest = about["chi4"].get(kind, {}).get("peak")
    if highest:
        largest = _number("chi4", Estimate(highest["value"], highest["error"]))
        yield f"chi_4 simulated is largest at t = {highest['time']:g}: {largest.strip()}"


def lead(first: Row, other: Row, kind: str) -> Estimate | None:
    """How far the correlations of a predictor are above those of another one, sample by sample; None beside itself.

    What makes a sample hard is hard for both, so this has a smaller error than each of them.
    """
    if first is other or kind not in first.scores or kind not in other.scores:
        return None
    pairs = zip(first.scores[kind].each, other.scores[kind].each, strict=True)
    return Estimate.mean([mine - theirs for mine, theirs in pairs])


def kinds_of(rows: Sequence[Row]) -> list[str]:
    """All kinds that somebody has a score of: particles by species, then bonds."""
    kinds = {kind for row in rows for kind in row.scores}
    return sorted(kinds, key=lambda kind: (kind == BONDS, kind))


def spreadsheet(about: dict[str, Any], rows: Sequence[Row], known: Mapping[str, Published]) -> Iterator[list[Any]]:
    """Rows of the CSV file, the first with the names of the columns."""
    columns = [part for name in (*FIGURES, "lead") for part in (name, f"{name}_error")]
    yield ["name", "kind", "temperature", "time", "n_samples", *columns]
    place, rest = [about["temperature"], about["time"]], [""] * (len(columns) - 1)
    for row in rows:
        for kind, score in row.scores.items():
            found = {**dict(figures_of(score)), "lead": lead(rows[0], row, kind)}
            numbers = [number for name in (*FIGURES, "lead") for number in _both(found.get(name))]
            yield [row.name, kind, *place, score.n_samples, *numbers]
    for kind, value in about["ceiling"].items():
        yield ["noise ceiling", kind, *place, len(about["samples"]), f"{value:.6f}", *rest]
    for model, one in known.items():
        theirs = {"pearson": one.pearson, "pooled": one.pooled, "chi4": one.chi4}
        yield [f"published: {model}", "A", *place, 100, *(theirs.get(name) or "" for name in columns)]


def against_time(temperature: float, time: float, rows: Sequence[Row]) -> dict[str, float]:
    """The correlations of a time as the row of a table: of scored particles and bonds, with errors, by predictor.

    `OVER` NAME is the lead of the first predictor over another one.
    """
    found = {"temperature": temperature, "time": time}
    for kind in ("A", BONDS):
        for row in rows:
            if (score := row.scores.get(kind)) is not None:
                name = f"{row.name} {kind}"
                found |= {
                    name: score.pearson.value,
                    f"{name} +-": score.pearson.error,
                    f"{name} pooled": score.pooled.value,
                }
                if ahead := lead(rows[0], row, kind):
                    found |= {OVER + name: ahead.value, f"{OVER}{name} +-": ahead.error}
    return found


def _title(kind: str) -> str:
    return f"bonds (AA, r < {CLOSE_PAIR})" if kind == BONDS else f"particles {kind}"


def _number(name: str, one: Estimate) -> str:
    """An estimate for the table; figures that may have either sign show it."""
    digits = ".2f" if name == "chi4" and abs(one.value) >= 1 else ".3f"
    return number(one.value, one.error, f"+{digits}" if name == "bias" else digits)


def number(value: float, error: float, form: str = ".3f") -> str:
    """A number of the format `form` with its standard error, as wide without one; "-" if it is not defined."""
    text = format(value, form) if math.isfinite(value) else "-"
    return f"{text} +- {format(error, form.lstrip('+'))}" if math.isfinite(error) else text + " " * 9


def _both(one: Estimate | None) -> list[str]:
    numbers = [one.value, one.error] if one else [math.nan, math.nan]
    return ["" if math.isnan(number) else f"{number:.6f}" for number in numbers]
