"""Extended XYZ: frames of particles with columns, which viewers such as OVITO open as they are.

Source: https://github.com/libAtoms/extxyz.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from runkit.arrays import F64, Array

# From immobile to mobile: the report of JHPCN project jh220052 (2022), figure 2: the redder, the more mobile.
MOBILE = np.array([[255, 255, 255], [253, 208, 188], [244, 105, 76], [177, 18, 29], [92, 0, 16]]) / 255


def write_frame(stream: TextIO, box: Array, header: Mapping[str, object], columns: Mapping[str, Array]) -> None:
    """Write a frame in a box [3] of three edges: `header` are further keys, a column is an array [n] or [n, k].

    Letters of species are text; "pos" are positions, and "Color" [n, 3] is what OVITO shows.
    """
    lattice = " ".join(f"{value:.12g}" for value in np.diag(box).ravel())
    kinds = [f"{name}:{_letter(values)}:{values.size // len(values)}" for name, values in columns.items()]
    words = {"Lattice": f'"{lattice}"', **header, "Properties": ":".join(kinds), "pbc": '"T T T"'}
    rows = np.column_stack([_text(values) for values in columns.values()])
    stream.write(f"{len(rows)}\n" + " ".join(f"{key}={value}" for key, value in words.items()) + "\n")
    stream.writelines(" ".join(row) + "\n" for row in rows)


def letter(species: int) -> str:
    """The name of a species: A, B, …; beyond Z its number."""
    return chr(ord("A") + species) if species < 26 else str(species)


def letters(species: Array) -> NDArray[np.str_]:
    """Names of species [n]."""
    return np.array([letter(int(one)) for one in species])


def colors(values: Array, percentiles: tuple[float, float] = (4, 98)) -> F64:
    """Red, green and blue [n, 3] in 0 to 1: white where values [n] are low, dark red where they are high."""
    low, high = np.percentile(values, percentiles)
    place = np.clip((np.asarray(values, np.float64) - low) / max(high - low, 1e-300), 0, 1) * (len(MOBILE) - 1)
    return np.stack([np.interp(place, np.arange(len(MOBILE)), shade) for shade in MOBILE.T], axis=1)


def _letter(values: Array) -> str:
    return {"U": "S", "i": "I", "u": "I"}.get(values.dtype.kind, "R")


def _text(values: Array) -> Array:
    if values.dtype.kind == "U":
        return values
    return np.char.mod("%d" if values.dtype.kind in "iu" else "%.9g", values)
