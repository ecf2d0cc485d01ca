"""Results as the tables of `docs/performance.md` and `docs/validation.md`: Markdown, with card, command and date."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runkit.errors import UserError
from tools.gpu_check.step import Table, module_of, names

Line = dict[str, Any]
DOCUMENTS = ("performance", "validation")


def report(paths: Sequence[Path]) -> str:
    """All tables of all results; raises UserError for files that hold none."""
    runs = [run for path in paths for run in _runs(path)]
    text = []
    for document in DOCUMENTS:
        parts = [part for head, lines in runs for part in _tables(document, head, lines)]
        text += [f"# For docs/{document}.md", *parts] if parts else []
    outcomes = [_outcomes(head, lines) for head, lines in runs]
    return "\n\n".join([*text, "# How the steps ended", *outcomes])


def _runs(path: Path) -> list[tuple[Line, list[Line]]]:
    """The runs of a file: what each was run on, and its lines. A last line that was cut off is left out."""
    found: list[tuple[Line, list[Line]]] = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if not isinstance(line, dict) or "step" not in line:
            continue
        if line["step"] == "run":
            found.append((line, []))
        elif found:
            found[-1][1].append(line)
    if not found:
        raise UserError(f"{path}: no results of tools.gpu_check, which begin with a line of the step 'run'")
    return found


def _tables(document: str, head: Line, lines: list[Line]) -> Iterator[str]:
    """The tables that belong to a document, in the order of the steps; steps may share one."""
    by_title: dict[str, tuple[Table, list[Line]]] = {}
    for line in lines:
        table = None if "outcome" in line else _table_of(line["step"], line.get("table", ""))
        if table is not None and table.document == document:
            by_title.setdefault(table.title, (table, []))[1].append(line)
    for title, (table, records) in by_title.items():
        command = f"```bash\n{_command(head, records)}\n```"
        yield "\n\n".join([f"## {title}", command, _about(head), _markdown(table, records)])


def _table_of(step: str, kind: str) -> Table | None:
    """How records are shown; None for those of steps that are no more, and for those that are only kept."""
    if step not in names():
        return None
    table: Table | None = module_of(step).TABLES.get(kind)
    return table


def _command(head: Line, records: list[Line]) -> str:
    """What repeats the steps of these records."""
    steps = dict.fromkeys(line["step"] for line in records)
    given = [word for word in ("--data FOLDER", "--tiny") if word.split()[0] in head.get("command", "").split()]
    return " ".join(["python -m tools.gpu_check run", *steps, *given])


def _about(head: Line) -> str:
    versions = head.get("versions", {})
    driver = next(iter(head.get("gpus", [])), "").split(", ")[1:2]
    used = [f"driver {driver[0]}"] if driver else []
    used += [f"{name} {versions[name]}" for name in ("cupy-cuda12x", "cupy-cuda13x", "torch") if name in versions]
    what = ", ".join([head.get("card", "unknown card"), *used])
    return f"{what}; code {head.get('commit', 'unknown')}; {head.get('date', 'no date')}."


def _markdown(table: Table, records: list[Line]) -> str:
    """Columns that no record has are left out."""
    columns = {key: title for key, title in table.columns.items() if any(key in line for line in records)}
    rows = [[*columns.values()], ["---"] * len(columns)]
    rows += [[_cell(line.get(key)) for key in columns] for line in records]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_cell, value)) or "none"
    return str(value).replace("|", "\\|").replace("\n", " ")


def _outcomes(head: Line, lines: list[Line]) -> str:
    """Each step with its end, and each figure that could not be had."""
    rows = ["| step | end | seconds |", "| --- | --- | --- |"]
    rows += [
        f"| {line['step']} | {line['outcome']} | {_cell(line.get('seconds'))} |" for line in lines if "outcome" in line
    ]
    failed = [line for line in lines if line.get("table") == "failed"]
    rows += [""] if failed else []
    rows += [f"- {line['step']}, {line['case']}: {_cell(line['error'])}" for line in failed]
    return "\n".join([f"{_about(head)} `{head.get('command', '')}`", "", *rows])
