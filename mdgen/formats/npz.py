"""Published `.npz`: BOTAN's and GlassBench's configurations, and what `tools.export_botan` writes.

`types` [n] counts from 0, `initial_positions` [n, 3] lie in [0, L) or [-L/2, L/2). Published files hold no box, their
density is 1.2, and their temperature stands in the name (`N4096T0.44`); `box` and `temperature` are read where they
are.

Source: BOTAN data, doi:10.1063/5.0129791; GlassBench, doi:10.5281/zenodo.10118191.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from mdgen.formats.base import Format, Frame, Frames, file_format
from mdgen.formats.text import unpacked
from runkit.arrays import Array
from runkit.errors import UserError

PUBLISHED_DENSITY = 1.2


@file_format("npz")
class Npz(Format):
    """One configuration."""

    suffixes = (".npz",)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """A zip archive, or a single NumPy array, which the reader refuses by name."""
        return head.startswith((b"PK\x03\x04", b"\x93NUMPY"))

    @staticmethod
    def frames(path: Path) -> Frames:
        """The one configuration."""
        yield partial(_frame, path)


def _frame(path: Path) -> Frame:
    arrays = _arrays(path, ("types", "initial_positions", "box", "temperature"))
    for name in ("types", "initial_positions"):
        if name not in arrays:
            raise UserError(f"{path}: no array {name!r}; 'types' [n] and 'initial_positions' [n, 3] are needed")
    types, position = arrays["types"], arrays["initial_positions"]
    if types.ndim != 1 or position.shape != (len(types), 3):
        raise UserError(f"{path}: positions {position.shape} and species {types.shape} are not [n, 3] and [n]")
    if types.dtype.kind == "f" and np.array_equal(types, np.rint(types)):
        types = types.astype(np.int64)
    return Frame(
        _as_numbers(path, position, "initial_positions"),
        list(map(str, types.tolist())),
        _as_numbers(path, arrays["box"], "box") if "box" in arrays else None,
        first=0,
        temperature=temperature_of(path, arrays.get("temperature")),
        density=PUBLISHED_DENSITY,
    )


def temperature_of(path: Path, values: Array | None) -> float | None:
    """The temperature in an array of a file, or else in its name, such as isoconfig_N4096T0.44_1_tc07.npz.

    None if neither does; raises `UserError` if they contradict each other: a name has the digits that it has.
    """
    found = re.search(r"N\d+T(\d+(?:\.\d+)?)|(?<![A-Za-z0-9])T(\d+\.\d+)", path.name)
    digits = (found[1] or found[2]) if found else None
    if values is None:
        return float(digits) if digits else None
    if np.size(values) != 1:
        raise UserError(f"{path}: 'temperature' has {np.size(values)} values; one is needed")
    said = float(_as_numbers(path, values, "temperature").ravel()[0])
    if digits and not abs(said - float(digits)) <= 0.501 * 10.0 ** -len(digits.partition(".")[2]):
        raise UserError(f"{path}: 'temperature' is {said:g}, its name says {digits}; correct the one that is wrong")
    return said


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Those of the named arrays that a file holds."""
    with unpacked(path) as file:
        content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            raise UserError(f"{path}: a single array {content.shape} (.npy), not an .npz of 'types' and others")
        return {name: content[name] for name in names if name in content.files}


def _as_numbers(path: Path, values: Array, name: str) -> Array:
    if values.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name!r} is of type {values.dtype}; numbers are needed")
    return values.astype(np.float64)
