"""What a run keeps of its trajectories: their positions, or the labels that were computed from them alone.

Labels need the positions of all replicas of a sample at once. So a run with `production.store = "labels"` fills a whole
file beside its output, NAME.whole.h5.part, restartable like any other; when all is labelled, everything but positions
goes into the output, unit by unit, each held against its checksums on the way, and the whole file is deleted. The
labels are computed from the same bytes either way.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from mdgen.config import RunConfig
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.schema import Field, Schema
from runkit.dataset.selection import Index
from runkit.dataset.verify import require_sound
from runkit.dataset.writer import Writer
from runkit.mpi import World

LEFT_OUT = {"all": (), "labels": ("position",)}  # store -> fields that its files lack


def schema_of(config: RunConfig) -> Schema:
    """The fields of the output."""
    return ISOCONFIG.without(*LEFT_OUT[config.production.store])


def working_path(config: RunConfig) -> Path:
    """The file that a run fills: the output, or one beside it if that leaves something out."""
    output = Path(config.output)
    return output if config.production.store == "all" else output.with_name(f"{output.stem}.whole{output.suffix}")


def copy_kept(world: World, whole: Writer, kept: Writer) -> None:
    """Copy all that `kept` has room for from a file whose units are all done; collective.

    Raises UserError if a unit is not what was written.
    """
    n_samples = whole.shape("equilibrated")[0]
    if world.is_root:
        for field in kept.schema.fields:
            if not field.stage and field.unit != "status":
                kept.write(field.name, (), whole.read(field.name))
    kept.sync()
    for sample in world.share(n_samples):
        for stage in kept.schema.stages:
            for unit in _units(whole, stage, sample):
                _copy_unit(whole, kept, stage, unit)
    kept.sync()


def _copy_unit(whole: Writer, kept: Writer, stage: Field, unit: tuple[int, ...]) -> None:
    require_sound(whole, stage.name, unit)
    at = dict(zip(stage.dims, unit, strict=True))
    for field in kept.schema.fields:
        if field.stage == stage.name:
            index: Index = tuple(at.get(dim, slice(None)) for dim in field.dims)
            kept.write(field.name, index, whole.read(field.name, index))
    kept.mark(stage.name, unit, int(whole.read(stage.name, unit)))


def _units(file: Writer, stage: Field, sample: int) -> list[tuple[int, ...]]:
    """Units of a stage that belong to a sample."""
    lengths = file.shape(stage.name)[1:]
    return [(sample, *map(int, rest)) for rest in np.ndindex(*lengths)]


def delete(part: Path) -> None:
    """Remove an unfinished file that is needed no longer."""
    with suppress(FileNotFoundError):
        part.unlink()
