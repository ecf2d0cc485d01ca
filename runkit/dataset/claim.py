"""The place of a file: what is there already, and the lock that makes it this run's own."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from runkit.dataset.lock import FileLock, lock_of
from runkit.dataset.resume import check_same, holds, require_readable
from runkit.dataset.schema import Schema
from runkit.dataset.scratch import Scratch
from runkit.errors import UserError
from runkit.outputs import require_own_name, require_replaceable, shortened, state_of


class How(NamedTuple):
    """Keys that may differ from those of an unfinished file; whether an old file makes room; sources of the data."""

    free_keys: Sequence[str]
    replace: bool
    reads: Sequence[Path | str]


class Claim(NamedTuple):
    """The names that a file has, sealed and unfinished, and its checkpoints."""

    path: Path
    part: Path
    scratch: Scratch
    schema: Schema

    def take(
        self, shapes: Mapping[str, tuple[int, ...]], attributes: Mapping[str, Any], how: How
    ) -> tuple[str, FileLock | None]:
        """("new", "resumed" or "finished", the lock, which a finished file does not need).

        Raises UserError: no such folder, a source, somebody else's file or configuration, another run.
        """
        self._require_name(how.reads)
        lock = self._lock() if how.replace or not self.path.exists() else None
        try:
            if how.replace:
                self._make_room()
            # Once more: another run may have finished it before it left us the lock.
            if self.path.exists():
                check_same(self.path, self.schema, shapes, attributes, how.free_keys)
                self._clean(lock)
                return "finished", None
            if self.part.exists():
                require_readable(self.part)
                check_same(self.part, self.schema, shapes, attributes, how.free_keys)
                return "resumed", lock
            return "new", lock
        except UserError:
            if lock is not None:
                lock.release()
            raise

    def _lock(self) -> FileLock:
        return FileLock(lock_of(self.part))

    def _require_name(self, reads: Sequence[Path | str]) -> None:
        """Whether files can have these names, and none of them is a source."""
        directory = self.path.parent
        if state_of(directory) is None or not directory.is_dir():
            raise UserError(f"cannot write {shortened(self.path)}: directory {directory} does not exist")
        require_own_name(self.path)
        for path in (self.path, self.part):
            require_replaceable(path, lambda _: True, reads)
        folder = state_of(self.scratch.path)
        if folder is not None and not stat.S_ISDIR(folder.st_mode):
            raise UserError(f"{self.scratch.path} is in the way: checkpoints go to a folder of this name; move it away")

    def _clean(self, lock: FileLock | None) -> None:
        """Remove what a run that was killed right after it had sealed its file has left beside it."""
        is_left = lock_of(self.part).is_file() or self.scratch.path.is_dir()
        if lock is not None or is_left:
            with suppress(UserError):  # the run is still there, or the folder may only be read
                lock = lock or self._lock()
                self.scratch.clear()
                lock.release()

    def _make_room(self) -> None:
        """Delete an older file of this schema, and what is left of one; any other is refused."""
        for path in (self.path, self.part):
            require_replaceable(path, lambda old: holds(old, self.schema))
        for path in (self.path, self.part):
            path.unlink(missing_ok=True)
