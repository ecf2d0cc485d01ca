"""The folder of a run: recipe, curves, checkpoints, weights; opened anew or to go on with what is there."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtrain.config import Recipe, load_recipe
from dtrain.ranks import Ranks
from runkit.config import differences, dump_toml
from runkit.dataset.lock import FileLock
from runkit.errors import UserError

# Keys that may differ when a run goes on: they do not change what is computed.
FREE_KEYS = ("output", "minutes", "device", "threads", "compile", "data.memory", "data.keep_pairs")


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run and its lock, which root holds while it trains."""

    path: Path
    lock: FileLock | None

    @classmethod
    def open(cls, ranks: Ranks, recipe: Recipe, engine_config: Mapping[str, Any]) -> RunFolder:
        """Make the folder or check that it belongs to the same recipe; collective. Raises UserError on all ranks."""
        path, lock, problem = Path(recipe.output) / recipe.name, None, ""
        if ranks.is_root:
            try:
                lock = _prepare(path, recipe, engine_config)
            except UserError as error:
                problem = str(error)
        problem = ranks.from_root(problem)
        if problem:
            raise UserError(problem)
        return cls(path, lock)

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

    def close(self) -> None:
        """Let another process train here."""
        if self.lock is not None:
            self.lock.release()


@dataclass(frozen=True)
class Curve:
    """A CSV table with one row per report, ordered by step."""

    path: Path

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; the first one gives the columns."""
        is_new = not self.path.exists()
        with open(self.path, "a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def cut(self, step: int) -> None:
        """Forget what was reported after a step: it is computed again."""
        if not self.path.exists():
            return
        with open(self.path, newline="") as file:
            rows = list(csv.DictReader(file))
        kept = [row for row in rows if row["step"] and int(row["step"]) <= step]
        beside = self.path.with_name(self.path.name + ".tmp")
        beside.unlink(missing_ok=True)
        for row in kept:
            Curve(beside).append(row)
        if kept:
            os.replace(beside, self.path)
        else:
            self.path.unlink()


def _prepare(path: Path, recipe: Recipe, engine_config: Mapping[str, Any]) -> FileLock:
    settings = path / "ds_config.json"
    config = {
        key: value
        for key, value in engine_config.items()
        if key not in ("train_batch_size", "gradient_accumulation_steps")
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / "run.lock")
        if (path / "recipe.toml").exists():
            changed = differences(load_recipe(path / "recipe.toml"), recipe)
            changed |= differences({"deepspeed": json.loads(settings.read_text())}, {"deepspeed": config})
            changed = {key: change for key, change in changed.items() if key not in FREE_KEYS}
            if changed:
                lock.release()
                listed = ", ".join(f"{key} (there {then!r}, now {now!r})" for key, (then, now) in changed.items())
                raise UserError(
                    f"{path} holds a run by another recipe; keys that differ: {listed}; choose another name=…"
                )
        else:
            settings.write_text(json.dumps(config, indent=2) + "\n")
            (path / "recipe.toml").write_text(dump_toml(recipe), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be used: {error.strerror}") from error
    return lock
