"""Failed cases go to the end of the file, so that its first ones are data without a gap.

Readers without support for a status field take the first `n_trajectories` cases. A failed case holds NaN, and is
exchanged with the last complete one; the number under which a case was drawn stays in its description. A journal of the
moves is written beside the file first, so that a run that is killed meanwhile can finish them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import numpy as np

from runkit.arrays import Array
from runkit.dataset.checksums import sums_of
from runkit.dataset.schema import COMPLETE, FAILED, PENDING
from runkit.dataset.scratch import Arrays
from runkit.dataset.writer import Writer
from runkit.errors import UserError

JOURNAL = "aside.npz"
NAMES = {"hole", "last", "moved", "description", "failure", "sums"}  # of its arrays
STAGE, OWN = "computed", ("computed", "failure", "description")  # the status field; what is not blank in a failed case
SUMS = sums_of(STAGE)


def move_failed_to_end(file: Writer) -> int:
    """Move failed cases to the end of a file without pending ones; on root alone. Returns the number of the others.

    Moves that a killed run had begun must have been finished.
    """
    _move(file, _plan(file))
    return int(np.sum(file.read(STAGE) == COMPLETE))


def finish_moves(file: Writer) -> None:
    """Finish the moves that a run which was killed had begun; on root alone."""
    if plan := file.scratch.load(JOURNAL, partial(_fault, file)):
        _move(file, plan)


def case_order(file: Writer) -> list[int]:
    """The number of the case that belongs to each place of a file; on root alone.

    Pending ones are where they were drawn, or, in a file whose failed cases were set aside, where they were moved to.
    Raises UserError if the places of damaged cases cannot be found.
    """
    status, numbers = file.read(STAGE), [_number_in(text) for text in file.read("description")]
    done, pending = (np.flatnonzero(which).tolist() for which in (status != PENDING, status == PENDING))
    order = {place: place if (number := numbers[place]) is None else number for place in done}
    if all(place == number for place, number in order.items()):  # nothing was moved
        return list(range(len(status)))
    missing = set(range(len(status))) - set(order.values())
    guesses: list[Callable[[int], int | None]] = [
        numbers.__getitem__,
        lambda place: place,
        lambda _: min(missing) if len(missing) == 1 else None,
    ]
    for guess in guesses:
        for place in pending:
            number = None if place in order else guess(place)
            if number is not None and number in missing:
                order[place] = number
                missing.remove(number)
    if missing:
        raise UserError(f"{file.part}: cases {sorted(missing)} are damaged, and it is not known where; delete the file")
    return [order[place] for place in range(len(status))]


def _number_in(description: bytes) -> int | None:
    try:
        number = json.loads(description)["case"]
    except (ValueError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) else None


def _move(file: Writer, plan: Arrays) -> None:
    """Let failed cases and the complete ones behind them change places, with their checksums; again, if killed."""
    if not len(plan["hole"]):
        return
    pairs = list(zip(plan["hole"].tolist(), plan["last"].tolist(), strict=True))
    if not plan["moved"]:
        file.scratch.save(JOURNAL, **plan)
        for hole, last in pairs:
            _copy(file, last, hole)
        file.to_disk()
        file.scratch.save(JOURNAL, **plan | {"moved": np.array(True)})
    for k, (hole, last) in enumerate(pairs):
        fill_with_nan(file, last)
        file.write("description", (last,), plan["description"][k])
        file.write("failure", (last,), plan["failure"][k])
        file.write("failure", (hole,), np.zeros((), plan["failure"].dtype))
        if file.checksums is not None:
            file.write(SUMS, (last,), plan["sums"][k])
    for hole, last in pairs:
        file.set_flag(STAGE, (hole,), COMPLETE)
        file.set_flag(STAGE, (last,), FAILED)
    file.to_disk()
    file.scratch.discard(JOURNAL)


def _fault(file: Writer, arrays: Arrays) -> str:
    """What is wrong with a journal, "" if nothing is."""
    if arrays.keys() != NAMES:
        return "it is no journal"
    n, cases = arrays["hole"].size, file.shape(STAGE)[0]
    if any(arrays[name].shape[:1] != (n,) for name in NAMES - {"moved"}) or arrays["moved"].shape:
        return "its arrays have other lengths"
    places = np.concatenate([arrays["hole"], arrays["last"]])
    is_sound = places.dtype.kind == "i" and len(set(places.tolist())) == 2 * n and np.isin(places, range(cases)).all()
    return "" if is_sound else "it names no cases"


def fill_with_nan(file: Writer, i_case: int) -> None:
    """Fill every field of a case with NaN, except its status, failure and description."""
    for field in file.schema.fields:
        if field.dims[:1] == ("case",) and field.name not in OWN:
            shape = file.shape(field.name)[1:]
            for part in _parts(shape):
                file.write(field.name, (i_case, *part), np.full(shape[len(part) :], np.nan, field.dtype))


def _plan(file: Writer) -> dict[str, Array]:
    """Failed cases before the end, and the complete ones that take their places."""
    status = file.read(STAGE)
    n_complete = int(np.sum(status == COMPLETE))
    hole = np.flatnonzero(status[:n_complete] == FAILED)
    last = n_complete + np.flatnonzero(status[n_complete:] == COMPLETE)
    own = {name: file.read(name)[hole] for name in ("description", "failure")}
    sums = np.zeros(len(hole)) if file.checksums is None else file.read(SUMS)[hole]
    return {"hole": hole, "last": last, "moved": np.array(False), "sums": sums, **own}


def _copy(file: Writer, source: int, target: int) -> None:
    if file.checksums is not None:
        file.write(SUMS, (target,), file.read(SUMS, (source,)))
    for field in file.schema.fields:
        if field.dims[:1] == ("case",) and field.name not in (STAGE, "failure"):
            for part in _parts(file.shape(field.name)[1:]):
                file.write(field.name, (target, *part), file.read(field.name, (source, *part)))


def _parts(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Frame by frame, what has several axes: not all of a case at once."""
    return [(k,) for k in range(shape[0])] if len(shape) > 1 else [()]
