"""Tables and results that programs leave in a folder: CSV by rows, JSON whole; nothing else is written over."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runkit.outputs import require_replaceable, starts_with, written_whole

_IS_TABLE, _IS_RESULT = starts_with(r"(run|name|step|temperature),"), starts_with(r'\s*\{\s*"data": "')


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
    """Replace a CSV table of ours; without rows there is none. Raises UserError if something else is there.

    Its columns are those of all rows (`columns_of`), empty where a row has no such value.
    """
    require_replaceable(path, _IS_TABLE)
    listed = list(rows)
    if not listed:
        path.unlink(missing_ok=True)
        return
    columns = columns_of(listed)
    with written_whole(path) as beside:
        for row in listed:
            Curve(beside).append({name: row.get(name, "") for name in columns})


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names in any of the rows, in the order in which they first stand there."""
    return list(dict.fromkeys(name for row in rows for name in row))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON that begins with the kind of data, with null in place of numbers that are not defined.

    Raises UserError if something else is there.
    """
    require_replaceable(path, _IS_RESULT)
    with written_whole(path) as beside:
        beside.write_text(json.dumps(_plain(values), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
