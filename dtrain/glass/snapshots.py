"""Predicting configurations of any file that `mdgen.read` reads, into HDF5 and into extended XYZ for viewers.

Inherent structures are made on the way where the network needs them: configurations are shared out over the processes.
Then each configuration is cut into parts, which are shared out too (`partition`).
Units: Lennard-Jones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from dtrain.data.configurations import Configuration, read_configurations
from dtrain.data.glass_graphs import cage_options, needs_inherent
from dtrain.estimate import peak_memory
from dtrain.glass.mobility import (
    Mobility,
    blocks_of,
    completed,
    features_for,
    joined,
    of_block,
    options_of,
    potential_of,
    require_known,
    temperature_of,
)
from dtrain.glass.predictions import write_rows
from dtrain.weights import Trained
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.extxyz import colors, letters, write_frame
from runkit.log import say
from runkit.mpi import World
from runkit.outputs import require_replaceable, starts_with, written_whole
from runkit.progress import Progress, duration

# What a simulation would take: atom-steps per core-second (docs/performance.md), replicas and time step as published.
RATE, REPLICAS, DT = 8e6, 32, 0.005
IS_OURS = starts_with(r'\d+\nLattice="[^"]*" (Time=\S+ )?Properties=species:S:1:pos:R:3:propensity:R:1')


P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Cost:
    """What a prediction took: seconds of all processes in all, bytes for a particle of a block."""

    inherent: float = 0.0
    network: float = 0.0
    bytes_each: float = 0.0
    largest: int = 0  # particles of a block with its halo


def is_dataset(file: str) -> bool:
    """Whether a file is an ISOCONFIG file, whose samples are predicted as they are labelled; UserError if it is not
    there."""
    try:
        with open(file, "rb") as stream:
            if not stream.read(8).startswith(b"\x89HDF\r\n\x1a\n"):
                return False
        with Dataset(file) as data:
            return data.schema.name == "ISOCONFIG"
    except OSError as error:
        raise UserError(f"file: {file} cannot be read: {error.strerror}") from error
    except UserError:
        return False  # the reader of configurations says what is wrong


def predict_file(
    world: World, trained: Trained, file: str, how: tuple[str, Mapping[str, Any], int, float | None], path: Path
) -> None:
    """Predict all configurations of a file; collective. Writes `path` and, beside it, the same as extended XYZ.

    `how` is the potential of inherent structures, its parameters, the number of parts (0: one for each process, or more
    of a large configuration), and the temperature of cages.
    Raises UserError for a file that cannot be read, for configurations of another kind than the model's, and, before
    anything is computed, where the extended XYZ would replace something else.
    """
    potential, parameters, parts, given = how
    temperature = temperature_of(trained, given)
    law, xyz = potential_of(trained, potential, parameters), path.with_suffix(".xyz")
    world.on_root(_require_place, path, xyz, file)
    starts, cost = world.on_root(_read, trained, file), Cost()
    began = time.monotonic()
    if needs_inherent(options_of(trained)):
        made = "inherent structures and cages" if cage_options(options_of(trained)) else "inherent structures"
        say(world, f"{made} of {len(starts)} configuration(s)")
        starts = world.each(lambda k: _named(file, completed, trained, starts[k], law, temperature), len(starts))
        cost.inherent = time.monotonic() - began
    rows = [_of_all(world, trained, start, (law, parts, file), cost) for start in starts]
    _write_h5(world, trained, file, path, list(zip(starts, rows, strict=True)))
    world.on_root(_write_xyz, trained, xyz, starts, rows)
    say(world, f"wrote {path} and {xyz}: {len(starts)} configuration(s) of {len(starts[0].species)} particles")
    say(world, _cost_in_words(trained, cost, world.size, sum(len(start.species) for start in starts)))


def _require_place(path: Path, xyz: Path, file: str) -> None:
    if xyz == path:
        raise UserError(f"output: {path} is the name of the extended XYZ beside the HDF5 file; choose another ending")
    require_replaceable(xyz, IS_OURS, reads=[file])


def _read(trained: Trained, file: str) -> list[Configuration]:
    found = read_configurations(file)
    numbers = sorted({len(one.species) for _, one in found})
    if len(numbers) > 1:
        raise UserError(f"{file}: configurations have {numbers[0]} to {numbers[-1]} particles; one number is needed")
    for source, one in found:
        _named(source, require_known, trained, one)
    return [one for _, one in found]


def _named(source: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What a function gives; its UserError says where the configuration comes from."""
    try:
        return function(*arguments, **named)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error


def _of_all(
    world: World,
    trained: Trained,
    start: Configuration,
    how: tuple[tuple[str, Mapping[str, Any]], int, str],
    cost: Cost,
) -> Mobility:
    """The mobility of a configuration whose parts are shared out; every process gets it."""
    began = time.monotonic()
    law, parts, file = how
    blocks = blocks_of(trained, start, parts, world.size)
    features = _named(file, features_for, trained, start, law)
    mine = [blocks[k] for k in world.share(len(blocks))]
    device = trained.device
    before, found = peak_memory(device), []
    with Progress(world, len(mine), "parts", "predict") as progress:
        for block in mine:
            found.append(_named(file, of_block, trained, start, features, block))
            progress.advance()
    largest = max((len(block.member) for block in mine), default=1)
    each = world.max((peak_memory(device) - before) / largest)
    parts_of_all = [part for one in world.all_gather(found) for part in one]
    cost.network += time.monotonic() - began
    cost.bytes_each, cost.largest = max(cost.bytes_each, each), max(cost.largest, int(world.max(largest)))
    return joined(len(start.species), parts_of_all)


def _write_h5(
    world: World, trained: Trained, file: str, path: Path, found: Sequence[tuple[Configuration, Mobility]]
) -> None:
    """A PREDICTION file, whose samples are the configurations in the order of the file."""
    at, n_bonds = trained.system.get("time"), max(len(mobility.bond) for _, mobility in found)
    which, room = (range(len(found)), at or 0.0), (len(found[0][0].species), n_bonds)
    about: dict[str, Any] = {"config": trained.recipe.model_dump(mode="json"), "model": str(trained.path)}
    about |= {"dataset": file, "absent": [] if at is not None else ["time"]}
    rows = ((k, *_row(*found[k])) for k in world.share(len(found)))
    write_rows(world, path, file, which, room, about, rows)


def _row(start: Configuration, mobility: Mobility) -> tuple[Any, ...]:
    return (start.species, start.box, start.thermal), mobility.propensity, mobility.bond, mobility.bond_change


def _write_xyz(trained: Trained, path: Path, starts: Sequence[Configuration], rows: Sequence[Mobility]) -> None:
    require_replaceable(path, IS_OURS)
    at = trained.system.get("time")
    with written_whole(path) as beside, beside.open("w", encoding="utf-8") as stream:
        for start, mobility in zip(starts, rows, strict=True):
            write_frame(stream, start.box, {} if at is None else {"Time": f"{at:g}"}, dict(_columns(start, mobility)))


def _columns(start: Configuration, mobility: Mobility) -> Iterator[tuple[str, Any]]:
    """What a viewer shows of a particle: mobility, and the mean change of its bonds, coloured by the former."""
    ends = mobility.bond.ravel()
    n_bonds = np.bincount(ends, minlength=len(start.species))
    total = np.bincount(ends, np.repeat(mobility.bond_change, 2), len(start.species))
    yield "species", letters(start.species)
    yield "pos", start.thermal
    yield "propensity", mobility.propensity
    yield "mean_bond_change", total / np.maximum(n_bonds, 1)
    yield "Color", colors(mobility.propensity)


def _cost_in_words(trained: Trained, cost: Cost, n_processes: int, n_particles: int) -> str:
    spent = n_processes * (cost.inherent + cost.network)
    parts = f"largest part {cost.largest} particles, {cost.bytes_each / 1e3:.3g} kB each"
    cages = " and cages" if cage_options(options_of(trained)) else ""
    words = f"{cost.network:.3g} s for the network, {cost.inherent:.3g} s for inherent structures{cages}; {parts}"
    at = trained.system.get("time")
    if at is None:
        return words
    simulated = n_particles * REPLICAS * at / DT / RATE
    return (
        f"{words}; a simulation of {REPLICAS} replicas to t = {at:g} takes about {duration(simulated)} of a core at "
        f"{RATE:g} atom-steps/s: {simulated / spent:.3g} times as long"
    )
