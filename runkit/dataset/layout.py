"""Laying a file down whole: every array at full size, contiguous and allocated, with its dimensions, unit and meaning.

One process does this through the default HDF5 driver. The space is not filled, so a fresh file is sparse and reads as
zeros (PENDING). libver starts at v108 because younger superblocks carry a mark "open for writing" that a killed process
leaves behind; every HDF5 from 1.10 on reads these files.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from runkit.dataset.checksums import ATTRIBUTE, arrays_of, sum_of_texts
from runkit.dataset.schema import Field, Schema
from runkit.errors import UserError
from runkit.outputs import put_in_place, require_regular, shortened, sibling, state_of
from runkit.version import code_version

# Attributes and object headers, generously.
_OVERHEAD = 1 << 20


def dtype_of(field: Field) -> np.dtype[Any]:
    """The type of a field in a file: little-endian on every machine."""
    return np.dtype(field.dtype).newbyteorder("<")


def n_bytes(schema: Schema, sizes: Mapping[str, int]) -> int:
    """Bytes of raw data of a file."""
    return sum(math.prod(field.shape(dict(sizes))) * dtype_of(field).itemsize for field in arrays_of(schema))


Groups = Mapping[str, Mapping[str, Any]]


def lay_down(
    path: Path, schema: Schema, sizes: Mapping[str, int], attributes: Mapping[str, Any], groups: Groups
) -> None:
    """Create `path` with all fields of `schema`; it appears under its name only when it is whole and on disk.

    `attributes` are those of the file, where what is neither number nor text is stored as JSON; `groups` adds to those
    of the schema's groups. Raises UserError if the disk lacks room.
    """
    check_space(path.parent, n_bytes(schema, sizes) + _OVERHEAD)
    beside = sibling(path, ".new")
    require_regular(beside, state_of(beside))
    try:
        # Our own lock is held: HDF5's would only fail, on file systems that have none.
        with h5py.File(beside, "w", libver=("v108", "v110"), locking=False) as file:
            for name, value in (_about_code() | dict(attributes)).items():
                file.attrs[name] = value if isinstance(value, (str, int, float, np.generic)) else json.dumps(value)
            file.attrs["schema"], file.attrs["schema_version"] = schema.name, schema.version
            for field in arrays_of(schema):
                _create(file, field, field.shape(dict(sizes)))
            for name in schema.groups:
                _describe(file.require_group(name), {**schema.groups[name], **groups.get(name, {})})
            file.attrs[ATTRIBUTE] = np.uint64(sum_of_texts(texts_in(file)))
        put_in_place(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise UserError(f"{shortened(path)} cannot be created: {error.strerror or error}") from error


def texts_in(file: h5py.File) -> list[tuple[str, str, str | list[str]]]:
    """(object, attribute, text or texts) of all attributes of a file that are texts, and of the file's own numbers.

    Not of its counts, n_…: they may be known only when it is sealed.
    """
    found: list[tuple[str, str, str | list[str]]] = []

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key, value in item.attrs.items():
            words = value.tolist() if isinstance(value, np.ndarray) and value.dtype == object else value
            if isinstance(words, (int, float, np.number)) and name == "/" and not key.startswith("n_"):
                words = repr(np.asarray(words).item()) if key != ATTRIBUTE else None
            if isinstance(words, (str, list)):
                found.append((name, key, words))

    look("/", file)
    file.visititems(look)
    return found


def replace_attributes(path: Path, attributes: Mapping[str, int]) -> None:
    """Other values of numbers that the file has as attributes, in place: one write for each."""
    if not attributes:
        return
    with h5py.File(path, "r+", libver=("v108", "v110"), locking=False) as file:
        for name, value in attributes.items():
            if int(file.attrs[name]) != value:
                file.attrs.modify(name, value)


def check_space(directory: Path, need: int) -> None:
    """Raise UserError if the disk of `directory` has fewer than `need` bytes free."""
    try:
        have = shutil.disk_usage(directory).free
    except OSError as error:
        raise UserError(f"{directory} cannot be used: {error.strerror}") from error
    if have < need:
        raise UserError(f"the disk of {directory} has {in_units(have)} free, the file needs {in_units(need)}")


def why_not_written(path: Path, size: int, error: Exception) -> str:
    """Why `size` bytes could not be written to a file, in words."""
    with suppress(OSError):  # the folder may have gone
        free = shutil.disk_usage(path.parent).free
        if free < size:
            return f"no space left on the disk ({in_units(free)} free)"
    return getattr(error, "strerror", None) or str(error)


def in_units(size: float) -> str:
    """Bytes in the unit that suits them, for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"


def _about_code() -> dict[str, str]:
    return {
        "code_version": code_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "hdf5_version": h5py.version.hdf5_version,
        "h5py_version": h5py.version.version,
    }


def _create(file: h5py.File, field: Field, shape: tuple[int, ...]) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    link = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    link.set_create_intermediate_group(True)
    kind = h5py.h5t.py_create(dtype_of(field), logical=True)
    space = h5py.h5s.create_simple(shape)
    dataset = h5py.Dataset(h5py.h5d.create(file.id, field.name.encode(), kind, space, dcpl=creation, lcpl=link))
    dataset.attrs["dims"] = np.array(field.dims, dtype=h5py.string_dtype())
    dataset.attrs["unit"], dataset.attrs["doc"] = field.unit, field.doc
    _describe(dataset, field.attributes)


def _describe(item: h5py.Group | h5py.Dataset, attributes: Mapping[str, Any]) -> None:
    """Attributes as HDF5 programs expect them: a list of words is an array of strings, also when it is empty."""
    for name, value in attributes.items():
        words = isinstance(value, list) and all(isinstance(word, str) for word in value)
        item.attrs[name] = np.array(value, dtype=h5py.string_dtype()) if words else value
