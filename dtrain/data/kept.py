"""Arrays that are kept in a folder beside a data file, because they take long to make again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from runkit.arrays import Array
from runkit.checkpoint import load_arrays
from runkit.errors import UserError
from runkit.outputs import written_whole


def kept(path: Path, make: Callable[[], Array], fits: Callable[[Array], bool]) -> Array:
    """The array of a file, or what `make` gives, which is kept there; a file that is damaged or does not fit gives way.

    Where nothing can be written it is made again each time.
    """
    found = load(path)
    if found is not None and fits(found):
        return found
    made = make()
    with suppress(OSError, UserError):
        path.parent.mkdir(exist_ok=True)
        with written_whole(path) as beside:
            np.savez(beside, values=made)
    return made


def refusal(folder: Path) -> str:
    """Why arrays cannot be kept in a folder, which is made if need be; nothing if they can."""
    try:
        folder.mkdir(exist_ok=True)
        with TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def load(path: Path) -> Array | None:
    """The array that was kept; None if there is none, or none that is whole."""
    if not path.is_file():
        return None
    try:
        return load_arrays(path).get("values")
    except UserError:
        return None
