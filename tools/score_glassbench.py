"""Score again the predictions that ship with GlassBench's Kob–Andersen test files, as our own are scored.

    python -m tools.score_glassbench KA_models/T0.44/test/*.npz                  # table at tau_alpha, all times as CSV
    python -m tools.score_glassbench KA_models/T0.44/test/*.npz time=1300

A test file holds `types`, `md_prop` [n_times, n] and, by the name of a model (BOTAN, CAGE, GlassMLP, SE3) or structural
quantity (EPOT, …), its predictions of it, for all particles or for the A particles alone. Models are scored on A
particles beside what was published of them; the bond-breaking propensity is the rival that the simulation itself gives.

Source: G. Jung et al., GlassBench, doi:10.5281/zenodo.10118191.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from dtrain.glass import published
from dtrain.glass.scores import FIGURES, Score, score
from dtrain.tables import write_table
from runkit.cli import run_program
from runkit.config import Config
from runkit.errors import UserError
from runkit.files import expand
from runkit.folders import make_folder
from tools.published_npz import array, finite, keys
from tools.published_npz import temperature as temperature_of

OURS = {"SE3": "SE(3)-GNN"}  # what files call a model -> what the published table does
STRUCTURE = ("types", "initial_positions", "initial_positions_inherent", "initial_positions_cage", "md_prop", "bb_prop")
STATE = ("box", "temperature", "time")


class ScoreGlassBench(Config):
    """Scores of the predictions in GlassBench's test files."""

    file: tuple[str, ...] = Field(min_length=1, description="npz files of one temperature, or globs of them")
    temperature: float | None = Field(None, gt=0, description="temperature; none: from the files or their names")
    times: tuple[float, ...] = Field((), description="times, ascending; none: from the files or the published ones")
    time: float | None = Field(None, gt=0, description="time that is shown; none: tau_alpha, or the last one")
    output: str = Field("", description="CSV table of all times; none: none is written")


def score_files(options: ScoreGlassBench) -> None:
    """Print the scores at one time, and write those of all times."""
    paths = [str(path) for path in expand(options.file, "file")]
    temperature = temperature_of(paths[0], options.temperature)
    for path in paths[1:]:
        if temperature_of(path, options.temperature) != temperature:
            raise UserError(f"{path} has another temperature than {paths[0]}, {temperature:g}: one is needed")
    times = _times(options, paths[0], temperature)
    shown = _shown(options, times, temperature)
    rows = sorted(_rows(paths, times, temperature), key=lambda row: times.index(row["time"]))
    if not rows:
        raise UserError(f"{paths[0]}: no predictions are there; those of the test files are needed")
    if options.output:
        make_folder(Path(options.output).parent)
        write_table(Path(options.output), rows)
    print("\n".join(_table([row for row in rows if row["time"] == shown], len(paths), temperature, shown)))


def models_in(path: str) -> list[str]:
    """Names of the arrays that are predictions."""
    return [name for name in keys(path) if name not in (*STRUCTURE, *STATE)]


def predictions(path: str, model: str, n_times: int) -> np.ndarray:
    """The predictions of a model for A particles [n_times, n_A]; the file has all particles, or these alone."""
    types = array(path, "types")
    found, n_scored = array(path, model), int((types == 0).sum())
    if found.shape == (n_times, len(types)):
        found = found[:, types == 0]
    if found.shape != (n_times, n_scored):
        allowed = f"({n_times}, {len(types)}) or ({n_times}, {n_scored})"
        raise UserError(f"{path}: {model!r} has shape {found.shape}; {allowed} is needed")
    return found


def _rows(paths: Sequence[str], times: Sequence[float], temperature: float) -> Iterator[dict[str, Any]]:
    """A row for each model and time, model by model: each array is read once."""
    labels = [_labels(path, "md_prop", len(times)) for path in paths]
    rivals = models_in(paths[0])
    for model in rivals:
        guesses = [predictions(path, model, len(times)) for path in paths]
        for i_time, time in enumerate(times):
            known = published.scores(temperature, time).get(OURS.get(model, model))
            yield _row(model, score(_at(i_time, guesses), _at(i_time, labels), has_chi4=True), time, known)
    if rivals and all("bb_prop" in keys(path) for path in paths):
        # Bonds that are kept mean that a particle has not moved.
        kept = [-_labels(path, "bb_prop", len(times)) for path in paths]
        for i_time, time in enumerate(times):
            yield _row("bond breaking (simulated)", score(_at(i_time, kept), _at(i_time, labels)), time, None)


def _at(i_time: int, each: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [of_file[i_time] for of_file in each]


def _labels(path: str, key: str, n_times: int) -> np.ndarray:
    types = array(path, "types")
    return finite(path, key, (n_times, len(types)))[:, types == 0]


def _row(name: str, found: Score, time: float, known: published.Published | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "time": time, "n_samples": found.n_samples}
    for figure in FIGURES:
        one = getattr(found, figure)
        row |= {figure: one.value if one else "", f"{figure}_error": one.error if one else ""}
    theirs = {"published_pearson": known.pearson, "published_pooled": known.pooled} if known else {}
    return {**row, "published_pearson": "", "published_pooled": "", **theirs}


def _table(rows: Sequence[dict[str, Any]], n_files: int, temperature: float, time: float) -> Iterator[str]:
    yield f"T = {temperature:g}, t = {time:g}: {n_files} configurations, A particles; +-: standard error over these"
    heads = ("rho", "pooled rho", "Spearman", "10 % found", "published", "pooled")
    yield f"{'':<26}" + "".join(head.rjust(16) for head in heads[:4]) + "".join(head.rjust(11) for head in heads[4:])
    for row in rows:
        ours = [f"{row[name]:.3f} +- {row[f'{name}_error']:.3f}" for name in ("pearson", "pooled", "spearman", "top")]
        theirs = [row[name] for name in ("published_pearson", "published_pooled")]
        texts = [f"{one:.3f}" if one != "" else "-" for one in theirs]
        yield f"{row['name']:<26}" + "".join(t.rjust(16) for t in ours) + "".join(t.rjust(11) for t in texts)
    limit = published.simulated(temperature, time)
    if limit and limit.pooled is not None:
        yield f"{'noise ceiling (published)':<26}{'':16}{limit.pooled:.3f}".rstrip()


def _times(options: ScoreGlassBench, path: str, temperature: float) -> tuple[float, ...]:
    n_times = len(np.atleast_2d(array(path, "md_prop")))
    said = tuple(np.atleast_1d(array(path, "time")).tolist()) if "time" in keys(path) else ()
    times = options.times or said or published.times(temperature)
    if len(times) != n_times:
        raise UserError(f"{path}: 'md_prop' has {n_times} times, but {len(times)} are known; give times=[…]")
    return times


def _shown(options: ScoreGlassBench, times: Sequence[float], temperature: float) -> float:
    if options.time is None:
        tau = published.tau_alpha(temperature)
        return tau if tau is not None and tau in times else times[-1]
    if options.time not in times:
        raise UserError(f"time = {options.time:g} is not there; allowed: {', '.join(f'{time:g}' for time in times)}")
    return options.time


if __name__ == "__main__":
    run_program("python -m tools.score_glassbench", ScoreGlassBench, score_files, positional=("file",))
