"""Failed cases go to the end of the file, so that its first ones are data without a gap.

Readers that know nothing of a status field take the first `n_trajectories` cases. A failed case holds NaN, and changes
places with the last complete one; the number under which a case was drawn stays in its description. What is to be done
is written beside the file first: a run that is killed meanwhile goes on with it.
"""

from __future__ import annotations

import numpy as np

from runkit.arrays import Array
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.scratch import Arrays
from runkit.dataset.writer import Writer

JOURNAL = "aside.npz"
NAMES = {"hole", "last", "moved", "description", "failure"}  # of its arrays
STAGE, OWN = "computed", ("computed", "failure", "description")  # the status field; what is not blank in a failed case


def set_failed_aside(file: Writer) -> int:
    """Order the cases of a file without pending ones; on root alone. Returns the number of complete ones."""
    plan = file.scratch.load(JOURNAL, _fault) or _plan(file)
    if len(plan["hole"]):
        if not plan["moved"]:
            file.scratch.save(JOURNAL, **plan)
            for hole, last in zip(plan["hole"], plan["last"], strict=True):
                _copy(file, int(last), int(hole))
            file.to_disk()
            file.scratch.save(JOURNAL, **plan | {"moved": np.array(True)})
        for k, (hole, last) in enumerate(zip(plan["hole"], plan["last"], strict=True)):
            blank(file, int(last))
            file.write("description", (int(last),), plan["description"][k])
            file.write("failure", (int(last),), plan["failure"][k])
            file.write("failure", (int(hole),), np.zeros((), plan["failure"].dtype))
        file.to_disk()
        for hole, last in zip(plan["hole"], plan["last"], strict=True):
            file.mark(STAGE, (int(hole),), COMPLETE)
            file.mark(STAGE, (int(last),), FAILED)
    return int(np.sum(file.read(STAGE) == COMPLETE))


def _fault(arrays: Arrays) -> str:
    return "" if arrays.keys() == NAMES else "it is no journal"


def blank(file: Writer, i_case: int) -> None:
    """No number in any field of a case."""
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
    texts = {name: file.read(name)[hole] for name in ("description", "failure")}
    return {"hole": hole, "last": last, "moved": np.array(False), **texts}


def _copy(file: Writer, source: int, target: int) -> None:
    for field in file.schema.fields:
        if field.dims[:1] == ("case",) and field.name not in (STAGE, "failure"):
            for part in _parts(file.shape(field.name)[1:]):
                file.write(field.name, (target, *part), file.read(field.name, (source, *part)))


def _parts(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Frame by frame, what has several axes: not all of a case at once."""
    return [(k,) for k in range(shape[0])] if len(shape) > 1 else [()]
