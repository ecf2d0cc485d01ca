"""Scored runs, as `dtrain/train.py` and `dtrain/evaluate.py` leave them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.metrics import ceiling
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.files import natural


@dataclass(frozen=True)
class Run:
    """A scored run: its folder, what was reported on it, and what pictures call it (none: the folder's name)."""

    path: Path
    about: dict[str, Any]
    alias: str = ""

    @property
    def name(self) -> str:
        """How pictures call it."""
        return self.alias or self.path.name

    @property
    def data(self) -> str:
        """The kind of data that it learnt from."""
        return str(self.about.get("data", "glass"))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The network, then its rivals: `name`, and scores of each kind, `A` or `bonds` (glass), `frames` (flow)."""
        rows: list[dict[str, Any]] = self._told("rows")
        return rows

    @property
    def trained(self) -> str:
        """How much it has learnt from."""
        n_train = self._told("n_train")
        return f"trained on {n_train} {'case' if self.data == 'flow' else 'sample'}{'' if n_train == 1 else 's'}"

    @property
    def simulates(self) -> str:
        """What it is told beside the structure, in words; nothing where that is all."""
        cage = self.about.get("cage")
        return f" and a short simulation, to $t$ = {cage['time']:g}" if cage else ""

    @property
    def predictions(self) -> list[tuple[Path, dict[str, Any]]]:
        """Files of predictions that are there, with their rows: the rivals, then the network."""
        files = self._told("rivals")
        named = [(files[row["name"]], row) for row in self.rows if row["name"] in files]
        every = [(self.path / name, row) for name, row in (*named, ("evaluation.h5", self.rows[0]))]
        return [(path, row) for path, row in every if path.exists()]

    def curve(self, name: str) -> dict[str, np.ndarray]:
        """Columns of training.csv or validation.csv, `phase` as text; {} if there is none."""
        path = self.path / f"{name}.csv"
        if not path.exists():
            return {}
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = rows[0] if rows else {}
        return {key: np.array([row[key] for row in rows], str if key == "phase" else float) for key in columns}

    def _told(self, key: str) -> Any:
        """What the report tells under a key; UserError for that of an earlier version, which had other keys."""
        if key not in self.about:
            told = f"{key!r} is missing: it was scored by an earlier version; run dtrain/evaluate.py again"
            raise UserError(f"{self.path / 'evaluation.json'}: {told}")
        return self.about[key]


def limit(data: Dataset, sample: int, i_time: int) -> str:
    """The noise ceiling of a sample in words, after a comma; nothing where the file does not tell it."""
    if "propensity_reliability" not in data:
        return ""
    found = ceiling(data["propensity_reliability"][sample, i_time])
    return f", noise ceiling {found:.2f}" if np.isfinite(found) else ""


def short_simulation(runs: Sequence[Run]) -> list[str]:
    """The sentence of a caption on what runs simulate, if some do."""
    lengths = sorted({run.about["cage"]["time"] for run in runs if run.about.get("cage")})
    told = f"of each configuration, to t = {', '.join(f'{length:g}' for length in lengths)}"
    return [f"Short simulation: {told}; up to there an answer is no prediction."] if lengths else []


def source(data: Dataset) -> str:
    """Where data come from: the last sentence of a caption."""
    made = data.attributes.get("code_version", "")
    return f"Source: {data.path.name}" + (f", made by glassflow {made}." if made else ".")


def find_runs(folders: Sequence[Path]) -> list[Run]:
    """All scored runs in or below `folders`; raises UserError for a folder without one."""
    paths: list[Path] = []
    for folder in folders:
        found = sorted(folder.glob("**/evaluation.json"), key=natural)
        if not found:
            raise UserError(f"{folder}: no scored run is there; run dtrain/evaluate.py on it first")
        paths += found
    aliases = _aliases([path.parent for path in paths])
    reports = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    return [Run(path.parent, about, alias) for path, about, alias in zip(paths, reports, aliases, strict=True)]


def _aliases(folders: Sequence[Path]) -> list[str]:
    """Names that differ: those of the folders, after those of as many folders around them as it takes."""
    parts = [folder.resolve().parts[1:] for folder in folders]
    for n_parts in range(1, max(map(len, parts), default=0)):
        names = ["_".join(of_one[-n_parts:]) for of_one in parts]
        if len({*names}) == len({*parts}):
            return names
    return ["_".join(of_one) for of_one in parts]


def predicted(path: Path, sample: int) -> np.ndarray:
    """Propensity [n_particles] of a sample in a PREDICTION file."""
    with Dataset(path) as file:
        place = int(np.flatnonzero(file["sample"][:] == sample)[0])
        return np.asarray(file["propensity"][place, 0])
