"""The road of a generation run: equilibrate, propagate, label; all of it into one file, restartable anywhere."""

from __future__ import annotations

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
from mdgen.trajectory import Run
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.outcome import conclude
from runkit.dataset.writer import Writer
from runkit.device import choose
from runkit.efficiency import KERNELS, Account
from runkit.folders import make_folder
from runkit.log import say
from runkit.mpi import World
from runkit.stop import Stop


def generate(world: World, config: RunConfig) -> int:
    """Make the file that `config` describes, or finish it; collective. Returns the exit code."""
    account = Account()
    potential, device = potential_of(config), choose(world, config.device)
    given = world.on_root(given_configurations, config, potential)
    start = taken_as_given(config, given)
    config = resolved(config, given)
    sizes = dimensions(config, potential, given)
    with Stop(world, config) as stop, _open(world, config, sizes, given) as file:
        if file.finished:
            return conclude(world, file.path, f"{file.path} is complete already; give another output to run again")
        say(world, f"{file.state}: {file.part}, written by {file.method}")
        if file.state == "new":  # checkpoints that lie here belong to a file that is gone
            world.on_root(file.scratch.clear)
        if world.is_root:  # units of all ranks are shared out to tell it
            _, replicas = work_of(config, sizes, world.size)
            say(world, f"memory: {memory_in_words(sizes, replicas.largest)}")
        told, is_short = hold_in_words(config)
        if given:
            say(world, start)
        elif is_short:
            say(world, f"warning: {told}; samples are still ageing")
        run = Run(config, potential, file, world, device, stop)
        with account.part(KERNELS):
            _compile(run, cools=not given)
        if not run.go_through(lambda run: equilibrate(run, given), propagate, label):
            account.tell(world)
            return stop.conclude(file.part)
        file.seal()
        world.on_root(file.scratch.clear)
    account.tell(world)
    return conclude(world, file.path, f"wrote {file.path}")


def _compile(run: Run, cools: bool) -> None:
    """Compile the kernels once on each node: trajectories in the precision of the run, minima in float64."""
    say(run.world, "kernels: loaded, or compiled in a minute or two where they are new")
    precision, potential = run.config.integrator.precision, run.potential
    run.world.first_on_each_node(warm_up, potential, "float64", run.device)
    run.world.first_on_each_node(warm_up, potential, precision, run.device)
    if cools:
        run.world.first_on_each_node(warm_up, potential, precision, run.device, melt_thermostat(run.config, [0, 1]))


def _open(world: World, config: RunConfig, sizes: dict[str, int], given: list[Configuration]) -> Writer:
    path = Path(config.output)
    world.on_root(make_folder, path.parent)
    attributes: dict[str, Any] = {"config": config.model_dump(mode="json"), "seed": config.seed}
    if given:
        attributes["inputs"] = {"initial.file": fingerprint(given)}
    file = Writer.open(world, path, ISOCONFIG, sizes, attributes, free_keys=FREE_KEYS)
    if not file.finished and world.is_root:  # also when resumed: the first try may have died before
        file.write("time", (), np.array(config.production.times))
        file.write("temperature", (), np.full(sizes["sample"], config.system.temperature))
    file.sync() if not file.finished else None
    return file
