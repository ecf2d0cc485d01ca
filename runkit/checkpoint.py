"""Checkpoints of arrays: written beside and renamed, so that a name always holds a whole file; never pickled."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from runkit.arrays import Array
from runkit.errors import UserError
from runkit.outputs import as_path, put_in_place, require_regular, sibling, state_of


def save_arrays(path: Path | str, **arrays: ArrayLike) -> None:
    """Write named arrays to an `.npz` file that replaces the old one at once and is on disk on return.

    Raises UserError if the file cannot be written, ValueError for arrays of objects.
    """
    path = as_path(path)
    beside = sibling(path, ".tmp")
    try:
        with open(beside, "wb") as handle:
            np.savez(handle, allow_pickle=False, **arrays)
        put_in_place(beside, path)
    except OSError as error:
        raise UserError(f"checkpoint {path} cannot be written: {error.strerror or error}") from error


def load_arrays(path: Path | str) -> dict[str, Array]:
    """Read the arrays of a checkpoint; a missing, truncated or foreign file raises UserError."""
    path = as_path(path)
    require_regular(path, state_of(path))
    try:
        with zipfile.ZipFile(path):
            pass
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise UserError(f"checkpoint {path} does not exist") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"checkpoint {path} is damaged or foreign ({error}); delete it to start anew") from error
