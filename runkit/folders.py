"""Folders that a run writes into."""

from __future__ import annotations

from pathlib import Path

from runkit.errors import UserError


def make_folder(path: Path) -> None:
    """Make the last folder of a path, but not those above it, whose absence is rather a slip of the pen."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"output: folder {path} cannot be made: {error.strerror}") from error
