"""A tiny ISOCONFIG file for tests: what belongs into it, and how to fill it unit by unit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from runkit.dataset.checksums import arrays_of
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, Field
from runkit.dataset.writer import Writer
from runkit.mpi import SerialWorld, World

SIZES = {"sample": 3, "replica": 2, "time": 3, "particle": 8, "bond": 5, "species": 2}
CONFIG = {"output": "a.h5", "system": {"density": 1.2, "potential": "kob-andersen"}, "production": {"n_samples": 3}}
ABOUT = {"config": CONFIG, "seed": 7}
Unit = tuple[int, ...]


def content() -> dict[str, np.ndarray]:
    """Valid values of every field but the status flags, the same at each call."""
    rng = np.random.default_rng(1)
    values: dict[str, Any] = {
        field.name: rng.uniform(0.1, 0.9, field.shape(SIZES)).astype(field.dtype)
        for field in ISOCONFIG.fields
        if field.unit != "status" and field.dtype[0] == "f"
    }
    values["box"][...] = 1.0
    values["time"] = np.array([0.1, 1.0, 10.0])
    values["species"] = np.tile(np.arange(8, dtype="i1") // 6, (3, 1))
    values["n_bonds"] = np.array([3, 2, 1], "i4")
    values["bond"] = np.array([[0, 1], [0, 3], [2, 5], [-1, -1], [-1, -1]], "i4") * np.ones((3, 1, 1), "i4")
    for sample, used in enumerate(values["n_bonds"]):
        values["bond"][sample, used:] = -1
        values["bond_change"][sample, :, used:] = np.nan
        values["bond_change_error"][sample, :, used:] = np.nan
    values["failure"] = np.zeros(3, "S160")
    return values


def open_writer(path: Path | str, world: World | None = None, **changed: Any) -> Writer:
    """A writer of the tiny file."""
    options = {"attributes": ABOUT, "driver": "auto"} | changed
    attributes = options.pop("attributes")
    return Writer.open(world or SerialWorld(), path, ISOCONFIG, SIZES, attributes, **options)


def fill(
    writer: Writer, world: World | None = None, before_mark: Callable[[int, str, Unit], None] = lambda *about: None
) -> None:
    """Do all pending units that fall to this rank; `before_mark(n, stage, unit)` is called when the n-th is written."""
    world = world or SerialWorld()
    values = content()
    if world.is_root:
        for name in ("time", "temperature", "failure"):
            writer.write(name, (), values[name])
    done = 0
    for stage in ISOCONFIG.stages:
        units = writer.pending(stage.name)
        for unit in (units[i] for i in world.share(len(units))):
            for field in ISOCONFIG.fields:
                if field.stage == stage.name:
                    index = _index(field, stage, unit)
                    writer.write(field.name, index, values[field.name][index])
            before_mark(done, stage.name, unit)
            writer.mark(stage.name, unit, COMPLETE)
            done += 1
        writer.sync()


def raw(path: Path | str) -> dict[str, bytes]:
    """The bytes of every field of a file, and of its checksums."""
    with Dataset(path, unfinished=True) as dataset:
        fields = arrays_of(dataset.held)
        return {field.name: dataset.file[field.name][()].tobytes() for field in fields}


def whole_file(path: Path) -> Path:
    """A complete tiny file."""
    with open_writer(path) as writer:
        fill(writer)
        writer.seal()
    return path


def _index(field: Field, stage: Field, unit: Unit) -> tuple[int | slice, ...]:
    places = dict(zip(stage.dims, unit, strict=True))
    return tuple(places.get(dim, slice(None)) for dim in field.dims)
