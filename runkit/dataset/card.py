"""A card on a dataset file that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runkit.arrays import Array
from runkit.dataset.contract import contract_of
from runkit.dataset.layout import in_units
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED, PENDING

_SHOWN_FAILURES = 10


def card(dataset: Dataset) -> str:
    """Several lines: what, when, by which code, sizes, progress, failures and headline figures."""
    about = dataset.attributes
    state = "complete" if dataset.is_complete else "unfinished"
    lines = [
        f"{dataset.path}",
        f"  {dataset.schema.name} version {dataset.schema.version}, {state}, {in_units(dataset.path.stat().st_size)}",
        f"  made {about.get('created', '?')} by code {about.get('code_version', '?')}, seed {about.get('seed', '?')}",
        "  " + ", ".join(f"{dim} {length}" for dim, length in dataset.sizes.items()),
    ]
    if dataset.absent:
        lines.append(f"  without {', '.join(dataset.absent)}")
    lines += [f"  {line}" for line in _progress(dataset)]
    lines += [f"  {line}" for line in contract_of(dataset).card(dataset)]
    return "\n".join(lines)


def _progress(dataset: Dataset) -> list[str]:
    rows: list[list[Any]] = [["stage", "units", "complete", "failed", "pending"]]
    for stage in dataset.schema.stages:
        status = dataset[stage.name][()]
        counts = [int(np.sum(status == flag)) for flag in (COMPLETE, FAILED, PENDING)]
        rows.append([stage.name, status.size, *counts])
    return table(rows)


def failures(dataset: Dataset, unit: str) -> list[str]:
    """Why units of work failed, from the field `failure`."""
    reasons = [(i, text.decode(errors="replace")) for i, text in enumerate(dataset["failure"][()]) if text]
    lines = [f"{unit} {i} failed: {text}" for i, text in reasons[:_SHOWN_FAILURES]]
    if len(reasons) > _SHOWN_FAILURES:
        lines.append(f"and {len(reasons) - _SHOWN_FAILURES} more failed")
    return lines


def span(values: Array) -> str:
    """The smallest and the largest value, or the one that all are."""
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def table(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Aligned columns, the first to the left and the others to the right."""
    texts = [[str(item) for item in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    sides = ["<", *">" * (len(widths) - 1)]
    return ["  ".join(map(format, row, map("{}{}".format, sides, widths))) for row in texts]
