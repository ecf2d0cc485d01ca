"""The folder of a run: recipe, curves, checkpoints, weights; opened anew or to go on with what is there."""

from __future__ import annotations

import csv
import json
import math
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtrain import notes
from dtrain.config import Recipe
from dtrain.origin import Origin
from dtrain.ranks import Ranks
from runkit.dataset.lock import FileLock
from runkit.errors import UserError
from runkit.outputs import (
    require_regular,
    require_replaceable,
    shortened,
    starts_with,
    state_of,
    written_whole,
)

_IS_TABLE, _IS_RESULT = starts_with(r"(run|name|step),"), starts_with(r'\s*\{\s*"data": "')


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
        problem, is_finished = ranks.bcast((problem, not problem and _summary(path).exists()))
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

    @property
    def origin(self) -> Origin:
        """What the run learns from; UserError if that was not noted."""
        path = self.path / "data.json"
        require_regular(path, state_of(path))
        try:
            return Origin.from_json(path.read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error

    def hold_to(self, origin: Origin) -> None:
        """Note what the run learns from, or compare it with what it began with; on root. Raises UserError."""
        path = self.path / "data.json"
        if _has_begun(self.path) and path.exists():
            self.origin.require_same(origin, self.path)
            return
        require_replaceable(path, starts_with(r'\{"digests": '))
        with written_whole(path) as beside:
            beside.write_text(origin.json(), encoding="utf-8")

    def curve(self, name: str) -> Curve:
        """The table NAME.csv."""
        return Curve(self.path / f"{name}.csv")

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Note that the run is over; on root."""
        with written_whole(_summary(self.path)) as beside:
            beside.write_text(json.dumps(summary, indent=2) + "\n")

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
        is_begun = self.path.exists() and self.path.stat().st_size > 0
        rows = [row] if is_begun else [dict(zip(row, row, strict=True)), row]
        with open(self.path, "a", newline="") as file:
            csv.DictWriter(file, list(row)).writerows(rows)

    def rows(self) -> list[dict[str, str]]:
        """All whole rows."""
        if not self.path.exists():
            return []
        with open(self.path, newline="", errors="replace") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        return [row for row in rows if row.get("step", "").isdecimal()]

    def text(self) -> str:
        """The whole table as it lies there, "" if there is none."""
        return self.path.read_bytes().decode(errors="replace") if self.path.exists() else ""

    def restore(self, text: str) -> None:
        """Put back what a checkpoint has kept, whatever has become of the file."""
        require_replaceable(self.path, _IS_TABLE)
        with written_whole(self.path) as beside:
            beside.write_bytes(text.encode())

    def cut(self, step: int) -> None:
        """Forget what was reported after a step, because it is computed again."""
        require_replaceable(self.path, _IS_TABLE)
        write_table(self.path, [row for row in self.rows() if int(row["step"]) <= step])


def write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a CSV table of ours; without rows there is none. Raises UserError if something else is there."""
    require_replaceable(path, _IS_TABLE)
    listed = list(rows)
    if not listed:
        path.unlink(missing_ok=True)
        return
    with written_whole(path) as beside:
        for row in listed:
            Curve(beside).append(row)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON that begins with the kind of data, with null in place of numbers that are not defined.

    Raises UserError if something else is there.
    """
    require_replaceable(path, _IS_RESULT)
    with written_whole(path) as beside:
        beside.write_text(json.dumps(_plain(values), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def folder_of(recipe: Recipe) -> Path:
    """Where a run lies."""
    return Path(recipe.output) / recipe.name


def read_summary(recipe: Recipe) -> dict[str, Any] | None:
    """What a finished run came to; None if it is not finished."""
    path = _summary(folder_of(recipe))
    return notes.read_table(path) if path.exists() else None


def _summary(path: Path) -> Path:
    return path / "summary.json"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _prepare(path: Path, recipe: Recipe, engine_config: Mapping[str, Any]) -> FileLock:
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / "run.lock")
        try:
            if _has_begun(path):
                notes.hold(path, recipe, engine_config)
                _require_whole(path / "checkpoint")
            else:
                notes.write(path, recipe, engine_config)
        except (OSError, UserError):
            lock.release()
            raise
    except OSError as error:
        raise UserError(f"{shortened(path)} cannot be used: {error.strerror}") from error
    return lock


def _has_begun(path: Path) -> bool:
    """Whether there is anything to go on with; a run that has failed before gives way to a mended recipe."""
    return any((path / name).exists() for name in ("checkpoint/latest", "model.safetensors"))


def _require_whole(checkpoints: Path) -> None:
    """Raise UserError if the last checkpoint is damaged: torch itself does not look at the sums of its files."""
    latest = checkpoints / "latest"
    if (about := state_of(latest)) is None:
        return
    try:
        require_regular(latest, about)
        folder = checkpoints / latest.read_text(encoding="utf-8").strip()
        files = sorted(folder.glob("**/*.pt"))
        if folder == checkpoints or not files:
            raise UserError(f"{folder} holds no checkpoint")
        for file in files:
            require_regular(file, state_of(file))
            with zipfile.ZipFile(file) as archive:
                if part := archive.testzip():
                    raise UserError(f"{file}: {part} has another sum than when it was written")
    except (OSError, ValueError, zipfile.BadZipFile, UserError) as error:
        raise UserError(f"the checkpoint is damaged ({error}); delete {checkpoints.parent} to train anew") from error
