"""Damage of a file, found by its checksums, and its repair: damaged units are marked to be made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from runkit.dataset.checksums import ATTRIBUTE, GROUP, Checksums, arrays_of, fields_of_sums, sum_of_texts
from runkit.dataset.drivers import PosixDriver
from runkit.dataset.layout import texts_in
from runkit.dataset.lock import FileLock, lock_of
from runkit.dataset.reader import BROKEN, Dataset, whole
from runkit.dataset.schema import PENDING
from runkit.dataset.verify import Damaged
from runkit.errors import UserError
from runkit.outputs import PART, part_of, put_in_place, require_regular, state_of


def has_checksums(dataset: Dataset) -> bool:
    """Whether a file has checksums; those of older code have none."""
    return GROUP in dataset.file


def damaged_units(dataset: Dataset) -> Iterator[Damaged]:
    """Units that claim to be over and are not what was written. Raises UserError if the checksums are no checksums."""
    sums = _sums(dataset)
    for stage in dataset.schema.stages:
        status = dataset[stage.name][()]
        for unit in np.ndindex(status.shape):
            if status[unit] != PENDING:
                fields = sums.differing(stage.name, unit)
            else:
                fields = [f"{stage.name} (the status)"] if dataset.is_complete else []
            if fields:
                yield Damaged(stage.name, unit, fields)


def damage_in_header(dataset: Dataset) -> list[str]:
    """Fields of a sealed file that belong to no unit and are not what was written."""
    return _sums(dataset).differing_in_header() if dataset.is_complete else []


def texts_are_damaged(dataset: Dataset) -> bool:
    """Whether texts among the attributes are not what was written: HDF5 keeps them without a checksum."""
    kept = dataset.attributes.get(ATTRIBUTE)
    try:
        return not isinstance(kept, int) or kept != sum_of_texts(texts_in(dataset.file))
    except BROKEN:
        return True


def repair(path: Path) -> str:
    """Mark damaged units of a file to be made again; a sealed one becomes unfinished. Returns what was done, in words.

    Raises UserError if the file cannot be repaired so: it has no checksums, it is in use, attributes are damaged.
    """
    part = path if path.suffix == PART else part_of(path)
    lock = FileLock(lock_of(part))
    try:
        with whole(path), Dataset(path, unfinished=True) as dataset:
            if not has_checksums(dataset):
                raise UserError(f"{path} has no checksums, since older code made it: damage cannot be found")
            if texts_are_damaged(dataset):
                raise UserError(f"{path}: texts among its attributes were changed, nothing makes them again; delete it")
            in_header, units = damage_in_header(dataset), list(damaged_units(dataset))
        if not units and not in_header:
            return f"{path}: nothing to repair"
        _unseal(path, part)
        driver = PosixDriver(part)
        for one in units:
            flags = tuple(slice(number, number + 1) for number in one.unit)
            driver.write(one.stage, flags, np.zeros((1,) * len(flags), "u1"))
        driver.close()
    finally:
        lock.release()
    message = f"{len(units)} unit(s)" if units else ", ".join(in_header)
    return f"{part}: {message} will be made again when the program that made it runs with the same configuration"


def _unseal(path: Path, part: Path) -> None:
    if path == part:
        return
    about = state_of(part)
    require_regular(part, about)
    if about is not None:
        raise UserError(f"{part} is there already: move it away, to repair {path}")
    try:
        put_in_place(path, part)
    except OSError as error:
        raise UserError(f"{path} cannot be renamed: {error.strerror}") from error


def _sums(dataset: Dataset) -> Checksums:
    schema = dataset.held
    for field in fields_of_sums(schema):
        found = dataset.file.get(field.name)
        if getattr(found, "shape", None) != field.shape(dataset.sizes) or found.dtype != np.dtype("<u8"):
            raise UserError(f"{dataset.path}: {field.name} is damaged, or of another code")
    shapes = {field.name: field.shape(dataset.sizes) for field in arrays_of(schema)}
    return Checksums(schema, shapes, lambda name, box: dataset.file[name][box])
