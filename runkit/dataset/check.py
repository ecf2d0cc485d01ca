"""Checks of dataset files, and a card that summarises their content: `python -m runkit.dataset.check FILE...`.

A file is good if every field of its schema is there with its type, unit and dimensions, no unit of work is pending, at
least one is complete, and all numbers of complete units are finite and within their physical range. Failed units are
counted beside the verdict. A good file may come with warnings, if its numbers are not those of what it seems to hold,
such as an equilibrium liquid. What is special to one kind of file is in its contract (`contract.py`). Data that were
changed after they were written are found by their checksums; `--repair` marks such units to be made again. Large files
are read piece by piece.
Exit code: 0 all good, 1 some are not, 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from runkit.arrays import Array
from runkit.cli import OptionParser, plain_streams
from runkit.dataset import integrity
from runkit.dataset.card import card
from runkit.dataset.checksums import in_words
from runkit.dataset.contract import contract_of
from runkit.dataset.layout import dtype_of
from runkit.dataset.outcome import NOTHING_USABLE, outcome_of
from runkit.dataset.reader import Dataset, whole
from runkit.dataset.schema import COMPLETE, FAILED, PENDING, Field
from runkit.errors import UserError, in_one_line
from runkit.outputs import as_path, is_file

# Elements read at once.
_PIECE = 1 << 24
_SHOWN_PROBLEMS = 20


@dataclass
class Report:
    """What a check found: `problems` is empty for a good file, `card` describes it."""

    path: Path
    problems: list[str] = field(default_factory=list)
    card: str = ""
    lost: str = ""  # which units failed, in words
    warnings: list[str] = field(default_factory=list)  # that the data may not be what they seem
    not_checked: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether no problem was found."""
        return not self.problems

    def __str__(self) -> str:
        verdict = [self._praise()] if self.good else [f"{len(self.problems)} problem(s):"]
        listed = [f"  {problem}" for problem in self.problems[:_SHOWN_PROBLEMS]]
        more = len(self.problems) - len(listed)
        listed += [f"  and {more} more"] if more else []
        listed += [f"warning: {warning}" for warning in self.warnings]
        listed += [f"not checked: {what}" for what in self.not_checked]
        return "\n".join([self.card or str(self.path), *verdict, *listed])

    def _praise(self) -> str:
        return f"all checks passed, but {self.lost} and hold no data" if self.lost else "all checks passed"


def check(path: Path | str) -> Report:
    """Check one file; never raises for a bad one. An unfinished file (`.part`) may have pending units."""
    report = Report(as_path(path))
    try:
        with whole(report.path), Dataset(path, unfinished=True) as dataset:
            report.problems += _structure(dataset)
            if report.good:
                report.problems += _stages(dataset)
                report.problems += _silent_damage(dataset, report)
                report.problems += _values(dataset)
                report.problems += contract_of(dataset).broken(dataset)
                report.card = card(dataset)
                outcome = outcome_of(dataset)
                report.lost = str(outcome) if outcome.n_failed else ""
                if report.good:
                    _look_closer(report, dataset)
    except UserError as error:
        report.problems.append(str(error))
    return report


def _look_closer(report: Report, dataset: Dataset) -> None:
    """Whether data without faults are what they seem."""
    contract = contract_of(dataset)
    found = list(contract.findings(dataset))
    report.card = "\n".join([report.card, *(f"  {finding.line}" for finding in found)])
    report.warnings = [finding.warning for finding in found if finding.warning]
    report.not_checked += contract.not_checked(dataset)


def _structure(dataset: Dataset) -> Iterator[str]:
    lengths: dict[str, int] = {}
    for expected in dataset.schema.fields:
        if expected.name not in dataset.file:
            if expected.optional:
                continue
            yield f"field {expected.name} is missing"
            continue
        array = dataset.file[expected.name]
        if array.dtype != dtype_of(expected):
            yield f"{expected.name} has type {array.dtype}, not {dtype_of(expected)}"
        if array.attrs.get("unit") != expected.unit:
            yield f"{expected.name} has unit {array.attrs.get('unit')}, not {expected.unit}"
        dims = tuple(array.attrs.get("dims", ()))
        if dims != expected.dims or array.ndim != len(dims):
            yield f"{expected.name} has dimensions {dims}, not {expected.dims}"
            continue
        for dim, length in zip(dims, array.shape, strict=True):
            known = int(dim) if dim.isdigit() else lengths.setdefault(dim, length)
            if length != known:
                yield f"{expected.name}: dimension {dim} has length {length}, elsewhere {known}"


def _stages(dataset: Dataset) -> Iterator[str]:
    for stage in dataset.schema.stages:
        status = dataset[stage.name][()]
        foreign = int(np.sum(~np.isin(status, (PENDING, COMPLETE, FAILED))))
        if foreign:
            yield f"{stage.name} has {foreign} flag(s) that are not 0, 1 or 2"
        pending = int(np.sum(status == PENDING))
        if pending and dataset.is_complete:
            yield f"{stage.name}: {pending} of {status.size} unit(s) are pending in a file that is called complete"
    outcome = outcome_of(dataset)
    if outcome.code == NOTHING_USABLE and dataset.is_complete:
        yield f"nothing can be used: {outcome}"


def _silent_damage(dataset: Dataset, report: Report) -> Iterator[str]:
    """What was changed after it was written."""
    if not integrity.has_checksums(dataset):
        report.not_checked.append("whether data are as they were written: the file has no checksums")
        return
    if integrity.texts_are_damaged(dataset):
        yield "texts among the attributes were changed after the file was laid down"
    for name in integrity.damage_in_header(dataset):
        yield f"{name}: changed after the file was sealed"
    for one in integrity.damaged_units(dataset):
        yield f"{one.in_words(dataset.schema)}: changed after the unit was written"


def _values(dataset: Dataset) -> Iterator[str]:
    for expected in dataset.schema.fields:
        is_number = dtype_of(expected).kind in "fiu" and expected.unit != "status"
        if not is_number or expected.name not in dataset:
            continue
        faults: dict[str, tuple[int, list[int]]] = {}
        for start, values, wanted in _pieces(dataset, expected):
            for fault, mask in _faults(expected, values).items():
                hits = np.argwhere(mask & wanted)
                if len(hits):
                    first = [int(hits[0][0]) + start, *map(int, hits[0][1:])]
                    count, place = faults.get(fault, (0, first))
                    faults[fault] = count + len(hits), place
        for fault, (count, place) in faults.items():
            yield f"{expected.name}: {count} value(s) {fault}, the first at {in_words(expected, tuple(place))}"


def _pieces(dataset: Dataset, expected: Field) -> Iterator[tuple[int, Array, Array]]:
    """(first index, values, whether each must be there) of pieces along the first axis."""
    array = dataset[expected.name]
    if not array.size:
        return
    must = np.ones((1,) * array.ndim, dtype=bool)
    if expected.stage:
        must = along(dataset[expected.stage][()] == COMPLETE, dataset.schema[expected.stage].dims, expected.dims)
    step = max(1, _PIECE * array.shape[0] // array.size)
    for start in range(0, array.shape[0], step):
        part = must if must.shape[0] == 1 else must[start : start + step]
        yield start, array[start : start + step], part


def along(values: Array, own: tuple[str, ...], dims: tuple[str, ...]) -> Array:
    """`values` with named axes `own`, reshaped so that it broadcasts against an array with axes `dims`."""
    shape = [values.shape[own.index(dim)] if dim in own else 1 for dim in dims]
    return values.reshape(shape)


def _faults(expected: Field, values: Array) -> dict[str, Array]:
    finite = np.isfinite(values)
    allowed = finite | np.isnan(values) if expected.may_be_nan else finite
    return {
        "are not finite": ~allowed,
        f"are below {expected.low:g}": finite & (values < expected.low),
        f"are above {expected.high:g}": finite & (values > expected.high),
    }


def main(arguments: list[str] | None = None) -> int:
    """Check all files and print their cards; returns the exit code."""
    parser = OptionParser("python -m runkit.dataset.check", description="Check dataset files.")
    parser.add_argument("file", nargs="+", type=Path)
    parser.add_argument("--repair", action="store_true", help="mark units that were changed to be made again")
    options = parser.parse_args(arguments)
    paths = options.file
    try:
        missing = [path for path in paths if not is_file(path)]
    except UserError as error:
        parser.error(str(error))
    if missing:
        parser.error(f"{missing[0]} does not exist")
    if options.repair:
        return _repair(paths)
    reports = [check(path) for path in paths]
    print("\n\n".join(map(str, reports)))
    return 0 if all(report.good for report in reports) else 1


@in_one_line()
def _repair(paths: list[Path]) -> int:
    for path in paths:
        print(integrity.repair(path))
    return 0


if __name__ == "__main__":
    with plain_streams():
        sys.exit(main())
