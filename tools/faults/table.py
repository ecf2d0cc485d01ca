"""What a campaign found, by kind and program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools.faults.trial import VERDICTS


class Row(NamedTuple):
    """A fault that was tried."""

    number: int
    program: str
    kind: str
    verdict: str
    why: str
    notes: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        message = f"{self.number:4d} {self.program:<12} {self.verdict:<8} {self.kind} ({self.seconds:.1f} s)"
        return message if self.verdict == "survived" else f"{message}\n     {self.why}\n     {'; '.join(self.notes)}"


def recorded(record: Path | None) -> list[Row]:
    """Faults that were tried before, by a record to which each was added; the last of those with one number counts."""
    if record is None or not record.exists():
        return []
    rows = [Row(**json.loads(line)) for line in record.read_text().splitlines()]
    return list({row.number: row._replace(notes=tuple(row.notes)) for row in rows}.values())


def add(row: Row, record: Path | None) -> None:
    """Add a fault to a record."""
    if record is not None:
        with record.open("a") as file:
            file.write(json.dumps(row._asdict()) + "\n")


def table(rows: Sequence[Row]) -> str:
    """Markdown: how many of each kind had which verdict."""
    counts = Counter((row.kind, row.verdict) for row in rows)
    kinds = list(dict.fromkeys(row.kind for row in sorted(rows, key=lambda row: row.kind)))
    lines = ["| fault | tried | " + " | ".join(VERDICTS) + " |", "|---|" + "---:|" * (1 + len(VERDICTS))]
    for kind in kinds:
        programs = ", ".join(sorted({row.program for row in rows if row.kind == kind}))
        numbers = [counts[kind, verdict] for verdict in VERDICTS]
        lines.append(f"| {kind} ({programs}) | {sum(numbers)} | {' | '.join(map(str, numbers))} |")
    total = [sum(counts[kind, verdict] for kind in kinds) for verdict in VERDICTS]
    lines.append(f"| **all** | {sum(total)} | {' | '.join(map(str, total))} |")
    return "\n".join(lines)
