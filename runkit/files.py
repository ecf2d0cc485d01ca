"""Files that a user names: by path, or by a pattern that matches many, in natural order."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from runkit.errors import UserError
from runkit.outputs import as_path, state_of


def natural(name: Path | str) -> list[tuple[int, str]]:
    """A key that sorts run_2 before run_10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(name))]


def expand(patterns: Sequence[str], key: str) -> list[Path]:
    """The files that `patterns` name, each pattern's in natural order; what exists under its name is no pattern.

    Raises `UserError` that names the configuration key `key` if one matches nothing, or a folder is named.
    """
    found: list[Path] = []
    for pattern in patterns:
        try:
            is_there = state_of(as_path(pattern)) is not None
        except UserError as error:
            raise UserError(f"{key}: {error}") from error
        matches = [pattern] if is_there else sorted(glob.glob(pattern, recursive=True), key=natural)
        files = [path for path in map(Path, matches) if not path.is_dir()]
        if not matches:
            raise UserError(f"{key}: no file matches {pattern!r}")
        if not files:
            raise UserError(f"{key}: {pattern!r} is a folder; name files, such as '{pattern.rstrip('/')}/*'")
        found += files
    return found
