"""Storage of a run: the positions of its trajectories, or only the labels that were computed from them.

Labels need the positions of all replicas of a sample at once. So a run with `production.store = "labels"` fills a whole
file beside its output, NAME.whole.h5.part, restartable like any other; when all is labelled, everything but positions
goes into the output, unit by unit, each held against its checksums on the way, and the whole file is deleted. The
labels are computed from the same bytes either way.
"""

from __future__ import annotations

from pathlib import Path

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
    if world.is_root:
        for field in kept.schema.fields:
            if not field.stage and field.unit != "status":
                kept.write(field.name, (), whole.read(field.name))
    kept.sync()
    for stage in kept.schema.stages:
        units = kept.pending(stage.name)  # a copy that was cut short goes on
        for i in world.share(len(units)):
            _copy_unit(whole, kept, stage, units[i])
    kept.sync()


def _copy_unit(whole: Writer, kept: Writer, stage: Field, unit: tuple[int, ...]) -> None:
    require_sound(whole, stage.name, unit)
    at = dict(zip(stage.dims, unit, strict=True))
    for field in kept.schema.fields:
        if field.stage == stage.name:
            index: Index = tuple(at.get(dim, slice(None)) for dim in field.dims)
            kept.write(field.name, index, whole.read(field.name, index))
    kept.mark(stage.name, unit, int(whole.read(stage.name, unit)))
