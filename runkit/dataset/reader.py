"""Reading a dataset file: lazily, with one handle per process.

    with Dataset("data/case.h5") as dataset:
        dataset["propensity"][3, 1]         # an h5py dataset: only this selection is read
        dataset.config["system"]["density"]

A `Dataset` may be handed to forked or spawned workers; each opens the file for itself at its first access.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from runkit.arguments import shown
from runkit.dataset.schema import Schema, contract
from runkit.errors import UserError
from runkit.outputs import PART, as_path, is_there, part_of, require_regular, state_of

# What h5py raises where the structure of a file is damaged.
BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError)


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Turns what h5py raises for a damaged file into a UserError."""
    try:
        yield
    except BROKEN as error:
        message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)  # unquoted
        raise UserError(f"{path} is damaged: {message}; move the file away or delete it") from error


class Dataset:
    """A dataset file, opened at the first access; every access may raise UserError if the file is not one of ours.

    A file whose run has not ended is read only with `unfinished=True`; its status fields show what is there.
    """

    def __init__(self, path: Path | str, unfinished: bool = False) -> None:
        self.path = as_path(path)
        self.unfinished = unfinished
        self._file: h5py.File | None = None
        self._process = -1

    @property
    def is_complete(self) -> bool:
        """Whether the file has its final name: no unit of work is pending."""
        return self.path.suffix != PART

    def __getitem__(self, name: str) -> Any:
        """The h5py dataset of a field; KeyError if there is none of this name, UserError if this file lacks it."""
        if isinstance(name, str) and name in self.absent:
            raise UserError(f"{self.path} has no {name}: the data it was imported from do not give it")
        if name not in self:
            if isinstance(name, str) and name in {field.name for field in self.schema.fields if field.optional}:
                raise UserError(f"{self.path} has no {name}: that was left out when the file was written")
            raise KeyError(f"{self.path} has no field {shown(name)}")
        return self.file[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a field of this name; groups and what is no name are none."""
        if not isinstance(name, str) or not name or "\0" in name:
            return False
        return isinstance(self.file.get(name), h5py.Dataset) and name not in self.absent

    @property
    def file(self) -> h5py.File:
        """This process's own handle."""
        if self._file is None or self._process != os.getpid():
            # A handle that came through a fork is closed first, or HDF5 would go on using the parent's descriptor.
            self.close()
            self._file, self._process = self._open(), os.getpid()
        return self._file

    @cached_property
    def schema(self) -> Schema:
        """The contract of this file."""
        return _known_schema(self.path, self.file)

    @property
    def held(self) -> Schema:
        """The schema without the optional fields that this file lacks."""
        schema = self.schema
        return schema.without(*(one.name for one in schema.fields if one.optional and one.name not in self.file))

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """File attributes as plain Python values."""
        try:
            attributes = dict(self.file.attrs)
        except (OSError, RuntimeError, UnicodeDecodeError) as error:
            raise UserError(f"{self.path}: its attributes cannot be read: {error}") from error
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in attributes.items()}

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration of the run that made the file, as nested tables."""
        tables: dict[str, Any] = self.parsed("config", dict, "{}")
        return tables

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Fields that imported data do not give: attribute `absent`, a list. They are laid down but hold nothing."""
        return tuple(map(str, self.parsed("absent", list, "[]")))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Length of every named dimension."""
        lengths: dict[str, int] = {}
        for field in self.schema.fields:
            if field.optional and field.name not in self.file:
                continue
            shape = getattr(self.file.get(field.name), "shape", None)
            if shape is None or len(shape) != len(field.dims):
                raise UserError(f"{self.path}: field {field.name} is missing or has not the axes {field.dims}")
            lengths |= zip(field.dims, shape, strict=True)
        return {dim: length for dim, length in lengths.items() if not dim.isdigit()}

    def close(self) -> None:
        """Close this process's handle; the next access opens it again."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "unfinished": self.unfinished, "_file": None, "_process": -1}

    def parsed(self, name: str, kind: type, otherwise: str) -> Any:
        """An attribute that holds JSON of a kind; UserError if it holds anything else."""
        text = self.attributes.get(name, otherwise)
        try:
            value = json.loads(text)
        except (TypeError, ValueError):
            value = None
        if not isinstance(value, kind):
            raise UserError(f"{self.path}: attribute {name} is damaged: JSON of a {kind.__name__} is needed")
        return value

    def _open(self) -> h5py.File:
        about = state_of(self.path)
        if about is None:
            part = part_of(self.path)
            hint = f"; {part} is unfinished: run the same command again to finish it" if is_there(part) else ""
            raise UserError(f"{self.path} does not exist{hint}")
        if not self.is_complete and not self.unfinished:
            raise UserError(f"{self.path} is unfinished: run the same command again to finish it")
        require_regular(self.path, about)
        try:
            file = h5py.File(self.path, "r", locking=False)
        except OSError as error:
            raise UserError(f"{self.path} cannot be read as HDF5: {error}") from error
        try:
            _known_schema(self.path, file)
        except UserError:
            file.close()
            raise
        return file


def _known_schema(path: Path, file: h5py.File) -> Schema:
    try:
        name, version = file.attrs.get("schema"), file.attrs.get("schema_version", -1)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: its attributes cannot be read: {error}") from error
    known = contract.names()
    if not isinstance(name, str) or name not in known:
        raise UserError(f"{path} is not one of our dataset files (schema: {name or 'none'}; known: {', '.join(known)})")
    schema = contract.get(name).schema
    if not isinstance(version, (int, np.integer)):
        raise UserError(f"{path}: attribute schema_version = {version!r} is damaged: a whole number is needed")
    if version != schema.version:
        age = "newer" if version > schema.version else "older"
        raise UserError(f"{path} has {name} version {version}, {age} than this code, which reads {schema.version}")
    return schema
