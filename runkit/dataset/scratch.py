"""Checkpoints of units of work: one file each, in a folder beside the unfinished dataset.

A checkpoint that is damaged, or of something else, is worth nothing and does no harm: its unit starts anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from runkit.arrays import Array
from runkit.checkpoint import load_arrays, save_arrays
from runkit.efficiency import FILE, counted
from runkit.errors import UserError

Arrays = dict[str, Array]
_OURS = ("*.npz", "*.npz.tmp")


class Scratch:
    """The folder `path`, made when the first checkpoint is saved; no method is collective."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @counted(FILE)
    def save(self, name: str, **arrays: ArrayLike) -> None:
        """Write a checkpoint in place of the last one of this name. Raises UserError."""
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"checkpoints cannot be written to {self.path}: {error.strerror}") from error
        save_arrays(self.path / name, **arrays)

    @counted(FILE)
    def load(self, name: str, fault: Callable[[Arrays], str]) -> Arrays | None:
        """The arrays of a checkpoint; None if there is none, or if it is damaged, which is reported and removes it.

        `fault` gives what is wrong with its arrays, "" if nothing is.
        """
        path = self.path / name
        if not path.is_file():
            return None
        try:
            arrays = load_arrays(path)
            message = fault(arrays)
        except UserError as error:
            message = str(error.__cause__ or error)
        if not message:
            return arrays
        tqdm.write(f"note: checkpoint {path} is damaged ({message}): what it belongs to starts anew", file=sys.stdout)
        self.discard(name)
        return None

    def discard(self, name: str) -> None:
        """Remove a checkpoint, if there is one."""
        with suppress(OSError):
            (self.path / name).unlink()

    def clear(self) -> None:
        """Remove all checkpoints, and the folder if nothing else is in it."""
        if not self.path.is_dir():
            return
        for pattern in _OURS:
            for path in self.path.glob(pattern):
                self.discard(path.name)
        with suppress(OSError):
            self.path.rmdir()


def fault_in(arrays: Mapping[str, Array], wanted: Mapping[str, ArrayLike], counters: Mapping[str, int]) -> str:
    """What is wrong with the arrays of a checkpoint, "" if nothing is.

    They must have the names, shapes and types of `wanted` and be finite; `counters` are whole numbers from 0 to their
    value.
    """
    names = wanted.keys() | counters.keys()
    if arrays.keys() != names:
        return f"it holds {', '.join(sorted(arrays)) or 'nothing'}, not {', '.join(sorted(names))}"
    for name, like in wanted.items():
        found, model = arrays[name], np.asarray(like)
        if found.shape != model.shape or found.dtype != model.dtype:
            return f"{name} has shape {found.shape} of {found.dtype}, not {model.shape} of {model.dtype}"
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            return f"{name} is not finite"
    for name, last in counters.items():
        if arrays[name].shape or arrays[name].dtype.kind not in "iu" or not 0 <= int(arrays[name]) <= last:
            return f"{name} is not a whole number from 0 to {last}"
    return ""
