"""The folder of a run: recipe, curves, checkpoints, weights; opened anew or to go on with what is there."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dtrain import notes
from dtrain.config import Recipe
from dtrain.data import AnyDataSet
from dtrain.origin import Origin
from dtrain.ranks import Ranks
from dtrain.tables import Curve
from dtrain.weights import WEIGHTS_FILE, save_model
from runkit.dataset.lock import FileLock
from runkit.errors import UserError
from runkit.outputs import (
    is_there,
    require_regular,
    require_replaceable,
    shortened,
    starts_with,
    state_of,
    written_whole,
)

_IS_SUMMARY = starts_with(r'\{\s*"phase": "')


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and its lock, which root holds while it trains."""

    path: Path
    lock: FileLock | None
    is_finished: bool

    @classmethod
    def open(cls, ranks: Ranks, recipe: Recipe, engine_config: Mapping[str, Any]) -> RunFolder:
        """Make the folder or check that it belongs to the same recipe; collective. Raises UserError on all ranks."""
        path = folder_of(recipe)
        lock: FileLock | None = None

        def prepare() -> bool:
            nonlocal lock
            lock = _prepare(path, recipe, engine_config)
            return _has_begun(path) and _summary(path).exists()

        is_finished = ranks.on_root(prepare)
        return cls(path, lock, is_finished)

    @property
    def checkpoints(self) -> Path:
        """Where DeepSpeed's checkpoints lie."""
        return self.path / "checkpoint"

    @property
    def model(self) -> Path:
        """The best weights so far."""
        return self.path / WEIGHTS_FILE

    @property
    def origin(self) -> Origin:
        """What the run learns from; UserError if that was not noted."""
        path = self.path / "data.json"
        require_regular(path, state_of(path))
        try:
            return Origin.from_json(path.read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error

    def require_origin(self, origin: Origin) -> None:
        """Note what a new run learns from; UserError if a resumed run would learn from something else. On root."""
        path = self.path / "data.json"
        if _has_begun(self.path) and path.exists():
            self.origin.require_same(origin, self.path)
            return
        require_replaceable(path, starts_with(r'\{"digests": '))
        with written_whole(path) as beside:
            beside.write_text(origin.json(), encoding="utf-8")

    def hold_to_files(self, files: Mapping[str, Sequence[str]]) -> None:
        """Raise UserError if the files of a finished run, by phase, hold something else now; on root."""
        if is_there(self.path / "data.json"):
            self.origin.require_files(files, self.path)

    def keep_model(
        self,
        weights: Mapping[str, Tensor],
        recipe: Recipe,
        data: AnyDataSet,
        reached: Mapping[str, Any],
        scores: Mapping[str, float],
    ) -> None:
        """Write the weights that a phase has `reached`, its name and step, with their validation scores; on root."""
        known = {name: value if math.isfinite(value) else None for name, value in scores.items()}  # JSON has no NaN
        about = {**reached, "validation": known, "system": data.system}
        save_model(self.model, weights, recipe, data.sizes, data.normalisation, about, self.origin)

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


def folder_of(recipe: Recipe) -> Path:
    """Where a run lies."""
    return Path(recipe.output) / recipe.name


def read_summary(recipe: Recipe) -> dict[str, Any] | None:
    """The summary of a finished run; None if it is not finished."""
    path = _summary(folder_of(recipe))
    return notes.read_table(path) if path.exists() else None


def _summary(path: Path) -> Path:
    return path / "summary.json"


def _prepare(path: Path, recipe: Recipe, engine_config: Mapping[str, Any]) -> FileLock:
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / "run.lock")
        try:
            if _has_begun(path):
                notes.hold(path, recipe, engine_config)
                _require_whole(path / "checkpoint")
            else:
                require_replaceable(_summary(path), _IS_SUMMARY)
                notes.write(path, recipe, engine_config)
        except (OSError, UserError):
            lock.release()
            raise
    except OSError as error:
        raise UserError(f"{shortened(path)} cannot be used: {error.strerror}") from error
    return lock


def _has_begun(path: Path) -> bool:
    """Whether there is anything to go on with; a run that has failed before gives way to a mended recipe."""
    return any((path / name).exists() for name in ("checkpoint/latest", WEIGHTS_FILE))


def _require_whole(checkpoints: Path) -> None:
    """Raise UserError if the last checkpoint is damaged: torch itself does not check the sums of its files."""
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
