"""Folders that a run writes into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runkit.errors import UserError
from runkit.outputs import shortened

MARK = ".made_by_glassflow"  # in a folder whose content is ours


def make_folder(path: Path) -> None:
    """Make the last folder of a path, but not those above it: where they are missing, the path is likely mistyped."""
    _make(path, parents=False)


def make_folders(path: Path) -> None:
    """Make a folder and those above it: for programs whose output is a folder."""
    _make(path, parents=True)


def make_own_folder(path: Path) -> None:
    """Make a folder in which everything may be replaced; UserError for one that is there with things of others."""
    make_folders(path)
    mark = path / MARK
    with _told(path):
        if not mark.exists() and any(path.iterdir()):
            raise UserError(f"output: {path} is a folder with other things; choose another one")
        mark.touch()


def _make(path: Path, parents: bool) -> None:
    with _told(path):
        path.mkdir(parents=parents, exist_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"output: folder {shortened(path)} cannot be made: {reason}") from error
