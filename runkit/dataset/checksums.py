"""Checksums of the fields of every unit of work: by them data that were changed after they were written are found.

They lie in the group `checksums` of a file. A stage has one array there, [axes of its status field, fields]; its
attribute `fields` names the last axis. A checksum is XXH3 (64 bits, https://xxhash.com) of the bytes of a field that
belong to the unit, in C order, with the unit's status as seed: so a status that was changed is found too. Fields that
belong to no unit (times, coordinates) have their checksums in `checksums/header`, from when the file is sealed.
The texts among all attributes in a file, which HDF5 itself keeps without a checksum, are covered by the attribute
`attributes_checksum` of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import xxhash
from numpy.typing import NDArray

from runkit.arrays import Array
from runkit.dataset.schema import COMPLETE, FAILED, PENDING, Field, Schema

GROUP = "checksums"
HEADER = f"{GROUP}/header"
ATTRIBUTE = "attributes_checksum"
PIECE = 1 << 24  # bytes that are read at once

Unit = tuple[int, ...]
Read = Callable[[str, tuple[slice, ...]], Array]


def sums_of(stage: str) -> str:
    """The array with the checksums of a stage's units."""
    return f"{GROUP}/{stage}"


def covered(schema: Schema, stage: Field) -> tuple[Field, ...]:
    """The fields that belong to the units of a stage.

    A field without a stage belongs to the last stage that has its axes.
    """
    later = schema.stages[schema.stages.index(stage) + 1 :]

    def is_its(field: Field) -> bool:
        if field.stage or field.unit == "status":
            return field.stage == stage.name
        return _has(field, stage) and not any(_has(field, other) for other in later)

    return tuple(field for field in schema.fields if is_its(field))


def header_fields(schema: Schema) -> tuple[Field, ...]:
    """The fields that belong to no unit."""
    of_units = {field.name for stage in schema.stages for field in covered(schema, stage)}
    return tuple(field for field in schema.fields if field.name not in of_units and field.unit != "status")


def fields_of_sums(schema: Schema) -> tuple[Field, ...]:
    """The arrays of checksums of a file."""
    doc = "XXH3 (64 bits) of each field"
    arrays = [(sums_of(stage.name), stage.dims, covered(schema, stage)) for stage in schema.stages]
    arrays.append((HEADER, (), header_fields(schema)))
    return tuple(
        Field(name, (*dims, str(len(of))), "u8", "1", doc, attributes={"fields": [field.name for field in of]})
        for name, dims, of in arrays
    )


def arrays_of(schema: Schema) -> tuple[Field, ...]:
    """All arrays of a file: its fields, and those of their checksums."""
    return (*schema.fields, *fields_of_sums(schema))


class Checksums:
    """The checksums of one file. `read(field, slices)` gives a box of an array; it is called for PIECE bytes at
    most, or for a line of the first axis that is cut.
    """

    def __init__(self, schema: Schema, shapes: Mapping[str, tuple[int, ...]], read: Read) -> None:
        self.schema, self._shapes, self._read = schema, shapes, read

    def of(self, stage: str, unit: Unit, status: int, ends: Mapping[str, int] | None = None) -> NDArray[np.uint64]:
        """Those of a unit's fields as they lie in the file; with `ends` of fields with such axes alone, up to there."""
        about = self.schema[stage]
        place = dict(zip(about.dims, unit, strict=True))
        fields = [field for field in covered(self.schema, about) if ends is None or ends.keys() & set(field.dims)]
        return self._sums(fields, place, ends or {}, status)

    def of_header(self) -> NDArray[np.uint64]:
        """Those of the fields that belong to no unit."""
        return self._sums(header_fields(self.schema), {}, {}, 0)

    def differing(self, stage: str, unit: Unit) -> list[str]:
        """Fields of a finished unit that are not what was written; its status instead, if that explains them all."""
        about = self.schema[stage]
        flag, fields = int(self._at(stage, unit).reshape(())), covered(self.schema, about)
        if flag not in (PENDING, COMPLETE, FAILED):
            return [f"{stage} (the status)"]
        differs = self.of(stage, unit, flag) != self._at(sums_of(stage), unit).reshape(-1)
        if differs.all() and len(fields) > 1:
            return [f"{stage} (the status)"]
        return [fields[k].name for k in np.flatnonzero(differs)]

    def differing_in_header(self) -> list[str]:
        """Fields that belong to no unit and are not what was written; of a sealed file."""
        differs = self.of_header() != self._at(HEADER, ())
        return [field.name for field, other in zip(header_fields(self.schema), differs, strict=True) if other]

    def _at(self, name: str, unit: Unit) -> Array:
        rest = (slice(0, n) for n in self._shapes[name][len(unit) :])
        return self._read(name, (*(slice(k, k + 1) for k in unit), *rest))

    def _sums(
        self, fields: Iterable[Field], unit: Mapping[str, int], ends: Mapping[str, int], seed: int
    ) -> NDArray[np.uint64]:
        found: list[int] = []
        for field in fields:
            state = xxhash.xxh3_64(seed=seed)
            for slices in _pieces(field, self._shapes[field.name], unit, ends):
                values = np.ascontiguousarray(self._read(field.name, slices)).reshape(-1)
                state.update(values.view(np.uint8).data)
            found.append(state.intdigest())
        return np.array(found, np.uint64)


def sum_of_texts(texts: Iterable[tuple[str, str, str | list[str]]]) -> int:
    """The checksum of the texts among attributes: (object, attribute, text or texts)."""
    return xxhash.xxh3_64_intdigest(json.dumps(sorted(texts)).encode())


def in_words(stage: Field, unit: Unit) -> str:
    """A unit for people: sample 1, replica 3."""
    return ", ".join(f"{dim} {number}" for dim, number in zip(stage.dims, unit, strict=True))


def _has(field: Field, stage: Field) -> bool:
    return set(stage.dims) <= set(field.dims)


def _pieces(
    field: Field, shape: tuple[int, ...], unit: Mapping[str, int], ends: Mapping[str, int]
) -> Iterator[tuple[slice, ...]]:
    """Boxes that together are the unit's part of a field, in C order."""
    whole = [
        slice(unit[dim], unit[dim] + 1) if dim in unit else slice(0, ends.get(dim, n))
        for dim, n in zip(field.dims, shape, strict=True)
    ]
    cut = next((axis for axis, dim in enumerate(field.dims) if dim not in unit), None)
    if cut is None:
        yield tuple(whole)
        return
    line = np.dtype(field.dtype).itemsize * math.prod(part.stop - part.start for part in whole[cut + 1 :])
    step = max(1, PIECE // max(1, line))
    for start in range(0, whole[cut].stop, step):
        stop = min(start + step, whole[cut].stop)
        yield (*whole[:cut], slice(start, stop), *whole[cut + 1 :])
