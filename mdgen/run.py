"""A generation run: equilibrate, propagate, label; all of it into one file, restartable anywhere."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mdgen.config import FREE_KEYS, RunConfig
from mdgen.dynamics import warm_up
from mdgen.equilibration import equilibrate, melt_thermostat
from mdgen.formats.independence import fingerprint
from mdgen.initial import Configuration
from mdgen.labelling import label
from mdgen.plan import memory_in_words, work_of
from mdgen.production import propagate
from mdgen.relaxation import hold_in_words
from mdgen.resolve import dimensions, given_configurations, potential_of, resolved, taken_as_given
from mdgen.storage import copy_kept, schema_of, working_path
from mdgen.trajectory import Run
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.outcome import conclude
from runkit.dataset.schema import Schema
from runkit.dataset.writer import Writer
from runkit.device import choose
from runkit.efficiency import KERNELS, Account
from runkit.errors import UserError
from runkit.folders import make_folder
from runkit.log import say
from runkit.mpi import World
from runkit.outputs import part_of, state_of
from runkit.stop import Stop


def generate(world: World, config: RunConfig) -> int:
    """Make the file that `config` describes, or finish it; collective. Returns the exit code."""
    with Account() as account:
        return _generate(world, config, account)


def _generate(world: World, config: RunConfig, account: Account) -> int:
    potential, device = potential_of(config), choose(world, config.device)
    given = world.on_root(given_configurations, config, potential)
    start = taken_as_given(config, given)
    config = resolved(config, given)
    sizes = dimensions(config, potential, given)
    attributes = _attributes(config, given)
    if world.on_root(state_of, Path(config.output)) is not None:
        with _open(world, config, sizes, attributes, (Path(config.output), schema_of(config))) as file:
            _delete_left(world, config, sizes, attributes)
            return conclude(world, file.path, f"{file.path} is complete already; give another output to run again")
    working = (working_path(config), ISOCONFIG)
    with Stop(world, config) as stop, _open(world, config, sizes, attributes, working) as file:
        say(world, f"{file.state}: {file.part}, written by {file.method}")
        if file.state == "new":  # checkpoints that lie here belong to a file that is gone
            world.on_root(file.scratch.clear)
        if world.is_root:  # it takes sharing out the units of all ranks
            _, replicas = work_of(config, sizes, world.size)
            say(world, f"memory: {memory_in_words(sizes, replicas.largest)}")
        message, is_short = hold_in_words(config)
        if given:
            say(world, start)
        elif is_short:
            say(world, f"warning: {message}; samples are still ageing")
        run = Run(config, potential, file, world, device, stop)
        if stop.meet():  # warned while the program was imported
            return stop.conclude(file.part)
        with account.part(KERNELS):
            _compile(run, cools=not given)
        if not run.go_through(lambda run: equilibrate(run, given), propagate, label):
            account.report(world)
            return stop.conclude(file.part)
        _finish(run, sizes, attributes)
    account.report(world)
    return conclude(world, config.output, f"wrote {config.output}")


def _finish(run: Run, sizes: dict[str, int], attributes: dict[str, Any]) -> None:
    """Seal the file, or another one without what is not to be kept."""
    file, world, output = run.file, run.world, Path(run.config.output)
    if file.path == output:
        file.seal()
        world.on_root(file.scratch.clear)
    else:
        with _open(world, run.config, sizes, attributes, (output, schema_of(run.config))) as kept:
            copy_kept(world, file, kept)
            kept.seal()
        _discard(world, file)


def _delete_left(world: World, config: RunConfig, sizes: dict[str, int], attributes: dict[str, Any]) -> None:
    """Delete the whole file of a run that was killed right after it had sealed its output, if that is in its place."""
    working = working_path(config)
    if working == Path(config.output) or world.on_root(state_of, part_of(working)) is None:
        return
    # Where it belongs to another run, or is in use, it stays.
    with suppress(UserError), _open(world, config, sizes, attributes, (working, ISOCONFIG)) as file:
        _discard(world, file)


def _discard(world: World, file: Writer) -> None:
    file.close()
    world.on_root(file.part.unlink, missing_ok=True)
    world.on_root(file.scratch.clear)


def _compile(run: Run, cools: bool) -> None:
    """Compile the kernels once on each node: trajectories in the precision of the run, minima in float64."""
    say(run.world, "kernels: loaded, or compiled in a minute or two where they are new")
    precision, potential = run.config.integrator.precision, run.potential
    run.world.first_on_each_node(warm_up, potential, "float64", run.device)
    run.world.first_on_each_node(warm_up, potential, precision, run.device)
    if cools:
        run.world.first_on_each_node(warm_up, potential, precision, run.device, melt_thermostat(run.config, [0, 1]))


def _attributes(config: RunConfig, given: list[Configuration]) -> dict[str, Any]:
    attributes: dict[str, Any] = {"config": config.model_dump(mode="json"), "seed": config.seed}
    if given:
        attributes["inputs"] = {"initial.file": fingerprint(given)}
    return attributes


def _open(
    world: World, config: RunConfig, sizes: dict[str, int], attributes: dict[str, Any], what: tuple[Path, Schema]
) -> Writer:
    path, schema = what
    world.on_root(make_folder, path.parent)
    file = Writer.open(world, path, schema, sizes, attributes, free_keys=FREE_KEYS)
    if not file.finished:
        if world.is_root:  # also when resumed: the first try may have died before
            file.write("time", (), np.array(config.production.times))
            file.write("temperature", (), np.full(sizes["sample"], config.system.temperature))
        file.sync()
    return file
