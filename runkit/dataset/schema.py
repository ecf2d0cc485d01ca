"""Schemas of dataset files: fields with their dimensions, units and meaning; and the registry of file contracts.

A file on disk is the only thing that generators and training share, so its schema is plain data: a `Schema` is a tuple
of `Field`s, and writer, reader and checker are all driven by it. A contract (`contract.py`) adds to it the rules
between fields and the card; each is one file in `contracts/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from runkit.registry import ClassRegistry


@dataclass(frozen=True)
class Field:
    """One array of a file.

    `dims` name its axes; two fields that share a dimension name share its length. A digit is a fixed length
    (`"3"`). `low` and `high` bound every finite value; `stage` names the status field that marks, along the axes the
    two share, which entries must be there, or "" for fields that are filled when the file is laid down.
    `may_be_nan` marks fields that are padded with NaN or hold undefined statistics; an `optional` field need not be
    there: files of older code lack it, or it was left out.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    unit: str
    doc: str
    stage: str = ""
    low: float = float("-inf")
    high: float = float("inf")
    may_be_nan: bool = False
    optional: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)  # what other programs look for beside dims and unit

    def shape(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """Lengths of the axes, looked up by name in `sizes`."""
        return tuple(int(dim) if dim.isdigit() else sizes[dim] for dim in self.dims)


@dataclass(frozen=True)
class Schema:
    """A named, versioned set of fields; the version rises when a reader of the old one would be wrong.

    A field may lie in a group, "group/name"; `groups` gives attributes of groups.
    """

    name: str
    version: int
    fields: tuple[Field, ...]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Field:
        for known in self.fields:
            if known.name == name:
                return known
        raise KeyError(f"schema {self.name} has no field {name!r}")

    def without(self, *names: str) -> Schema:
        """The schema of files that leave out some optional fields."""
        return replace(self, fields=tuple(known for known in self.fields if known.name not in names))

    def with_fields(self, *fields: Field) -> Schema:
        """The schema of files that have further fields, which are optional: they come last."""
        return replace(self, fields=(*self.fields, *fields))

    @property
    def stages(self) -> tuple[Field, ...]:
        """The status fields: one flag per unit of work, PENDING, COMPLETE or FAILED."""
        return tuple(known for known in self.fields if known.unit == "status")


class OfSchema(Protocol):
    """The part of a file contract (`contract.Contract`) that the reader uses."""

    schema: ClassVar[Schema]


contract: ClassRegistry[OfSchema] = ClassRegistry("file contract", "runkit.dataset.contracts")

PENDING, COMPLETE, FAILED = 0, 1, 2
