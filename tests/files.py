"""What generated files hold, for comparisons byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runkit.dataset.reader import Dataset


def arrays(path: Path, unfinished: bool = False) -> dict[str, np.ndarray]:
    """Every field of a file."""
    with Dataset(path, unfinished=unfinished) as file:
        return {field.name: file[field.name][...] for field in file.held.fields}


def assert_same(one: Path, other: Path) -> None:
    """All data of two files are equal, byte for byte."""
    a, b = arrays(one), arrays(other)
    different = [name for name in a if a[name].tobytes() != b[name].tobytes()]
    assert not different
