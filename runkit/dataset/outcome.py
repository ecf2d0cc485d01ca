"""The outcome of a run: which units of work failed, and the exit code for it.

A generator that fills its file ends with 0 if every unit is complete, PARTLY_FAILED if some failed and the file holds
the others, NOTHING_USABLE if all did. A UserError ends it with 2, any other error with 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.errors import complain
from runkit.log import say
from runkit.mpi import World

PARTLY_FAILED, NOTHING_USABLE = 3, 4


class Outcome(NamedTuple):
    """What became of the units of a file's last stage, which is what its readers use; `unit` is what one is called."""

    n_complete: int
    n_failed: int
    unit: str

    @property
    def code(self) -> int:
        """Exit code of the run that made the file."""
        if not self.n_failed:
            return 0
        return PARTLY_FAILED if self.n_complete else NOTHING_USABLE

    def __str__(self) -> str:
        return f"{self.n_failed} of {self.n_complete + self.n_failed} {self.unit}(s) FAILED"


def outcome_of(dataset: Dataset) -> Outcome:
    """What became of the units of a file; pending ones do not count."""
    last = dataset.schema.stages[-1]
    status = dataset[last.name][()]
    return Outcome(int(np.sum(status == COMPLETE)), int(np.sum(status == FAILED)), last.dims[0])


def conclude(world: World, path: Path | str, news: str) -> int:
    """Print `news` of a sealed file and what failed in it; the exit code of its run, on every rank; collective."""
    found: Outcome = world.on_root(_look, path)
    lost = f"; {found}, see runkit.dataset.check" if found.n_failed else ""
    say(world, f"{news}{lost}")
    if found.code == NOTHING_USABLE and world.is_root:
        complain(f"{path} holds nothing that can be used: {found}")
    return found.code


def _look(path: Path | str) -> Outcome:
    with Dataset(path) as dataset:
        return outcome_of(dataset)
