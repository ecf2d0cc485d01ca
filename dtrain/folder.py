"""The folder of a run: recipe, curves, checkpoints, weights; opened anew or to go on with what is there."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtrain.config import Recipe, load_recipe
from dtrain.ranks import Ranks
from runkit.config import differences, dump_toml
from runkit.dataset.lock import FileLock
from runkit.errors import UserError

_PLACES = ("memory", "device_memory", "keep_pairs")
# Keys that may differ when a run goes on: they do not change what is computed.
FREE_KEYS = ("output", "minutes", "device", "threads", "compile", *(f"data.{key}" for key in _PLACES))
# Of DeepSpeed's configuration: follows from the number of processes, or changes nothing that is computed.
_DERIVED = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "timers")


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and its lock, which root holds while it trains."""

    path: Path
    lock: FileLock | None
    is_finished: bool

    @classmethod
    def open(cls, ranks: Ranks, recipe: Recipe, engine_config: Mapping[str, Any]) -> RunFolder:
        """Make the folder or check that it belongs to the same recipe; collective. Raises UserError on all ranks."""
        path, lock, problem = folder_of(recipe), None, ""
        if ranks.is_root:
            try:
                lock = _prepare(path, recipe, engine_config)
            except UserError as error:
                problem = str(error)
        problem, is_finished = ranks.from_root((problem, _summary(path).exists()))
        if problem:
            raise UserError(problem)
        return cls(path, lock, is_finished)

    @property
    def checkpoints(self) -> Path:
        """Where DeepSpeed's checkpoints lie."""
        return self.path / "checkpoint"

    @property
    def model(self) -> Path:
        """The best weights so far."""
        return self.path / "model.safetensors"

    def curve(self, name: str) -> Curve:
        """The table NAME.csv."""
        return Curve(self.path / f"{name}.csv")

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Note that the run is over; on root."""
        beside = self.path / "summary.tmp"
        beside.write_text(json.dumps(summary, indent=2) + "\n")
        os.replace(beside, _summary(self.path))

    def close(self) -> None:
        """Let another job train here."""
        if self.lock is not None:
            self.lock.release()


@dataclass(frozen=True)
class Curve:
    """A CSV table with one row per report, ordered by step."""

    path: Path

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; the first one gives the columns."""
        rows = [row] if self.path.exists() else [dict(zip(row, row, strict=True)), row]
        with open(self.path, "a", newline="") as file:
            csv.DictWriter(file, list(row)).writerows(rows)

    def rows(self) -> list[dict[str, str]]:
        """All whole rows."""
        if not self.path.exists():
            return []
        with open(self.path, newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]

    def cut(self, step: int) -> None:
        """Forget what was reported after a step, because it is computed again."""
        write_table(self.path, [row for row in self.rows() if int(row["step"]) <= step])


def write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a CSV table; without rows there is none."""
    beside = Curve(path.with_name(path.name + ".tmp"))
    beside.path.unlink(missing_ok=True)
    for row in rows:
        beside.append(row)
    if beside.path.exists():
        os.replace(beside.path, path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON, with null in place of numbers that are not defined."""
    path.write_text(json.dumps(_plain(values), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def folder_of(recipe: Recipe) -> Path:
    """Where a run lies."""
    return Path(recipe.output) / recipe.name


def read_summary(recipe: Recipe) -> dict[str, Any] | None:
    """What a finished run came to; None if it is not finished."""
    path = _summary(folder_of(recipe))
    summary: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return summary


def _summary(path: Path) -> Path:
    return path / "summary.json"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _prepare(path: Path, recipe: Recipe, engine_config: Mapping[str, Any]) -> FileLock:
    settings = {key: value for key, value in engine_config.items() if key not in _DERIVED}
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / "run.lock")
        try:
            if _has_begun(path):
                _check_same(path, recipe, settings)
            else:
                (path / "ds_config.json").write_text(json.dumps(settings, indent=2) + "\n")
                beside = path / "recipe.toml.tmp"  # the recipe comes last and whole: it is what a rerun is held against
                beside.write_text(dump_toml(recipe), encoding="utf-8")
                os.replace(beside, path / "recipe.toml")
        except (OSError, UserError):
            lock.release()
            raise
    except OSError as error:
        raise UserError(f"{path} cannot be used: {error.strerror}") from error
    return lock


def _has_begun(path: Path) -> bool:
    """Whether there is anything to go on with; a run that has failed before gives way to a mended recipe."""
    return any((path / name).exists() for name in ("checkpoint/latest", "model.safetensors"))


def _check_same(path: Path, recipe: Recipe, settings: Mapping[str, Any]) -> None:
    changed = differences(load_recipe(path / "recipe.toml"), recipe)
    changed |= differences({"deepspeed": json.loads((path / "ds_config.json").read_text())}, {"deepspeed": settings})
    listed = [f"{key} (there {then!r}, now {now!r})" for key, (then, now) in changed.items() if key not in FREE_KEYS]
    if listed:
        raise UserError(
            f"{path} holds a run by another recipe; keys that differ: {', '.join(listed)}; choose another name "
            f"(with initial={path} it starts from these weights)"
        )
