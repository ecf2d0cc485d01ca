"""A generation run: groups of ranks simulate one case after another and write them into one file; it can be resumed."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lbmgen.block import Block
from lbmgen.case import Case
from lbmgen.cases import draw_all, input_files
from lbmgen.config import FREE_KEYS, RunConfig
from lbmgen.decomposition import Decomposition
from lbmgen.domain import AXES, SIDES, Body, Domain
from lbmgen.plan import gpu_bytes, group_of, memory_in_words, require_whole_records, schema_of, sizes_of
from lbmgen.points import require_room
from lbmgen.prefetch import prefetched
from lbmgen.preparation import Prepared, fluid_of, prepare
from lbmgen.reorder import case_order, finish_moves, move_failed_to_end
from lbmgen.simulation import Simulation, advance_round
from runkit.dataset.outcome import conclude
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.verify import verify
from runkit.dataset.writer import Writer
from runkit.device import Gpu, choose, need
from runkit.digest import digests
from runkit.efficiency import KERNELS, Account
from runkit.folders import make_folder
from runkit.log import say
from runkit.mpi import MpiWorld, SerialWorld, World, takes_device_arrays
from runkit.progress import Progress, Reporter
from runkit.stop import Stop, Stopped

SMALL = 8  # sites of a domain that is simulated for its kernels


def generate(world: World, config: RunConfig) -> int:
    """Make the file that `config` describes, or finish it; collective. Returns the exit code."""
    with Account() as account:
        return _generate(world, config, account)


def _generate(world: World, config: RunConfig, account: Account) -> int:
    require_whole_records(config)
    require_room(config)
    cases = draw_all(config, world)
    group = world.split(group_of(world.rank, world.size, config.ranks_per_case))
    Decomposition.best(cases[0].shape, group.size, config.grid.refinement)  # refused before anything is laid down
    gpu = choose(world, config.device)
    if gpu is not None and isinstance(group, MpiWorld) and min(world.size, config.ranks_per_case) > 1:
        group.takes_device_arrays = takes_device_arrays(world, gpu)
    with Stop(world, config) as stop, _open(world, config, cases) as file:
        if file.finished:
            return conclude(world, file.path, f"{file.path} is complete already; give another output to run again")
        say(world, f"{file.state}: {file.part}, written by {file.method}")
        if file.state == "new":  # checkpoints that lie here belong to a file that is gone
            world.on_root(file.scratch.clear)
        say(world, f"memory: {memory_in_words(config, cases[0], group.size)}")
        if stop.meet():  # warned while the program was imported
            return stop.conclude(file.part)
        say(world, "kernels: loaded, or compiled in a minute or two where they are new")
        with account.part(KERNELS):
            world.first_on_each_node(_compile, config, cases[0], gpu)
        if file.state == "resumed":
            world.on_root(finish_moves, file)
            file.sync()
            verify(file)
        order = world.on_root(case_order, file)
        resources = Resources(world, group, gpu, stop)
        if _simulate_all(resources, config, [cases[number] for number in order], file):
            account.report(world)
            return stop.conclude(file.part)
        file.sync()
        n_complete = world.on_root(move_failed_to_end, file)
        file.seal({"n_trajectories": n_complete})
        world.on_root(file.scratch.clear)
    account.report(world)
    return conclude(world, file.path, f"wrote {file.path}")


class Resources(NamedTuple):
    """All ranks, the group of this one, its GPU, if it has one, and what may end the run early."""

    world: World
    group: World
    gpu: Gpu | None
    stop: Stop

    def keep(self, n_pieces: int) -> None:
        """Count pieces of work that this group has done (not collective)."""
        self.stop.keep(n_pieces if self.group.is_root else 0)


def _simulate_all(resources: Resources, config: RunConfig, cases: list[Case], file: Writer) -> bool:
    """Simulate the pending cases; `cases` are in the order of the file. Each group takes new ones when it has no more.

    Returns whether the run was ended before all were simulated.
    """
    world, group = resources.world, resources.group
    pending = [unit[0] for unit in file.pending("computed")]
    together = _cases_together(resources, config, cases[0], len(pending))
    counter = world.shared_counter()
    place_of = {case.number: place for place, case in enumerate(cases)}

    def take() -> int:
        return len(pending) if resources.stop.is_wanted() else counter.next() * together

    def batches() -> Iterator[list[Case]]:
        while (first := group.on_root(take)) < len(pending):
            yield [cases[i_case] for i_case in pending[first : first + together]]

    with (
        Progress(Reporter(world.is_root), len(pending), "cases", "simulate") as progress,
        closing(_prepared(resources, config, batches())) as ready,
    ):
        with suppress(Stopped):
            for prepared in ready:
                progress.reach(pending.index(place_of[prepared[0].case.number]))
                running = [
                    Simulation(config, one, file, resources.group, place_of[one.case.number]) for one in prepared
                ]
                prepared.clear()  # or this list would keep finished cases in memory
                _simulate(resources, running)
        has_ended_early = resources.stop.meet()
        if not has_ended_early:
            progress.reach(len(pending))
    counter.free()
    return has_ended_early


def _prepared(resources: Resources, config: RunConfig, batches: Iterator[list[Case]]) -> Generator[list[Prepared]]:
    """Batches of cases that are ready to start.

    On a GPU the next batch is prepared while the present one is simulated. Where the host itself takes part in the
    steps, on the CPU or for a domain that is cut, a batch is prepared when its turn has come.
    """
    make = partial(prepare, config, group=resources.group, gpu=resources.gpu)
    if resources.gpu is not None and resources.group.size == 1:
        return prefetched(batches, make)
    return ([make(case) for case in batch] for batch in batches)


def _simulate(resources: Resources, started: list[Simulation]) -> None:
    """Simulate cases to their end, round by round. Raises Stopped, after checkpoints, if the run has to end early."""
    running = list(started)
    started.clear()  # or this list would keep finished cases in memory
    while running := _going(running, resources):
        began = time.monotonic()
        for simulation, found in zip(running, advance_round(running), strict=True):
            simulation.record(*found)
        resources.world.progress()
        # One answer for all ranks of the group: nothing, a checkpoint, or the end.
        is_due = any(simulation.is_due for simulation in running)
        call = resources.group.max(2 if resources.stop.is_wanted(time.monotonic() - began) else int(is_due))
        if call == 2:
            resources.stop.arrive()
        if call:
            running = _going(running, resources)
            for simulation in running:
                resources.keep(simulation.save())
        if call == 2:
            raise Stopped


def _going(simulations: list[Simulation], resources: Resources) -> list[Simulation]:
    """Finish the simulations that are over, and return the others. Status flags are set once all data is on disk."""
    over = [simulation for simulation in simulations if simulation.is_over]
    if not over:
        return simulations
    file, group = over[0].file, resources.group
    for simulation in over:
        simulation.finish()
        if group.is_root:  # also where there is none: a pending case may hold anything
            file.write_text("failure", (simulation.i_case,), simulation.failure)
    file.to_disk()
    group.barrier()
    for simulation in over:
        if group.is_root:
            file.mark("computed", (simulation.i_case,), FAILED if simulation.failure else COMPLETE)
        simulation.close()
        resources.keep(1)
    return [simulation for simulation in simulations if not simulation.is_over]


def _cases_together(resources: Resources, config: RunConfig, case: Case, n_pending: int) -> int:
    """Number of cases that a group simulates at once: on a GPU as many as it holds, but no more than its fair share."""
    world, group, gpu = resources.world, resources.group, resources.gpu
    if gpu is None:
        return 1
    n_bytes = gpu_bytes(config, case, group.size)
    need(gpu, n_bytes, "lower grid.cells or grid.refinement, or raise ranks_per_case")
    mine = min(config.cases_per_gpu, int(gpu.free_bytes / n_bytes)) if group.size == 1 else 1
    n_groups = world.sum(int(group.is_root))
    return max(1, min(*world.all_gather(mine), -(-n_pending // n_groups)))


def _compile(config: RunConfig, case: Case, gpu: Gpu | None) -> None:
    """Compile the kernels: one step of a small domain with the same fluid and faces."""
    domain = Domain((SMALL,) * len(case.shape), case.domain.faces)
    whole = Decomposition(domain.shape, (1,) * len(case.shape))
    body = Body(np.zeros([n + 2 for n in domain.shape], bool))
    block = Block(fluid_of(config, case), domain, whole, SerialWorld(), body, gpu)
    block.start(np.ones(block.shape), np.zeros((*block.shape, len(block.shape))))
    block.advance([0.0])


def _open(world: World, config: RunConfig, cases: list[Case]) -> Writer:
    path, schema, sizes = Path(config.output), schema_of(config), sizes_of(config)
    world.on_root(make_folder, path.parent)
    attributes = {
        "config": config.model_dump(mode="json"),
        "seed": config.seed,
        "dataset_name": "lbmgen",
        "grid_type": "cartesian",
        "n_spatial_dims": len(config.grid.cells),
        "n_trajectories": config.n_cases,
        "inputs": world.on_root(digests, input_files(config)),
    }
    faces = cases[0].domain.named_faces
    groups = {f"boundary_conditions/{name}": {"bc_type": face.kind} for name, face in faces.items()}
    # Not verified yet: a killed run may have left cases in mid-move.
    file = Writer.open(world, path, schema, sizes, attributes, free_keys=FREE_KEYS, groups=groups, verified=False)
    if not file.finished:
        if world.is_root:  # also when resumed: the first try may have died before
            _write_axes(config, file)
        file.sync()
    return file


def _write_axes(config: RunConfig, file: Writer) -> None:
    """Write the coordinates of cells, frames and forces, and where the boundary conditions hold."""
    width, frames = config.grid.refinement, config.frames
    for axis, n in zip(AXES, config.grid.cells, strict=False):
        file.write(f"dimensions/{axis}", (), width * (np.arange(n) + 0.5))
        for side, end in zip(SIDES, (0, n - 1), strict=True):
            file.write(f"boundary_conditions/{axis}_{side}/mask", (), np.arange(n) == end)
    file.write("dimensions/time", (), frames.every * (np.arange(frames.count) + 1.0))
    n_records = frames.count * frames.every // frames.force_every
    file.write("forces/time", (), frames.force_every * (np.arange(n_records) + 0.5) + 0.5)
