"""The road of a generation run: groups of ranks take one case after another; all of it into one file, restartable."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from lbmgen.cases import FlowCase, draw_all
from lbmgen.config import FREE_KEYS, Case
from lbmgen.decomposition import Decomposition
from lbmgen.domain import AXES
from lbmgen.plan import group_of, require_whole_records, schema_of, sizes_of
from lbmgen.simulation import Diverged, Simulation, make_block
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.writer import Writer
from runkit.folders import make_folder
from runkit.log import say
from runkit.mpi import SerialWorld, World
from runkit.progress import Audience, Progress


def generate(world: World, case: Case) -> None:
    """Make the file that `case` describes, or finish it; collective."""
    require_whole_records(case)
    flows: list[FlowCase] = world.on_root(draw_all, case)
    group = world.split(group_of(world.rank, world.size, case.ranks_per_case))
    Decomposition.best(flows[0].shape, group.size, case.grid.refinement)  # refused before anything is laid down
    with _open(world, case, flows) as file:
        if file.finished:
            say(world, f"{file.path} is complete already; give another output to run again")
            return
        say(world, f"{file.state}: {file.part}, written by {file.method}")
        if file.state == "new":  # checkpoints that lie here belong to a file that is gone
            world.on_root(shutil.rmtree, file.scratch, True)
        world.first_on_each_node(_compile, case, flows[0])
        _simulate_all(world, group, case, flows, file)
        file.sync()
        failed = file.read("computed") == FAILED
        file.seal()
        world.on_root(shutil.rmtree, file.scratch, True)
    lost = f"; {failed.sum()} of {len(failed)} cases FAILED, see runkit.dataset.check" if failed.any() else ""
    say(world, f"wrote {file.path}{lost}")


def _simulate_all(world: World, group: World, case: Case, flows: list[FlowCase], file: Writer) -> None:
    """Groups take the next case when they are done with one."""
    pending = [unit[0] for unit in file.pending("computed")]
    tickets = world.tickets()
    with Progress(Audience(world.is_root), len(pending), "cases", "simulate") as progress:
        while (ticket := group.on_root(tickets.next)) < len(pending):
            progress.reach(ticket)
            _simulate(world, group, case, (pending[ticket], flows[pending[ticket]]), file)
        world.barrier()
        progress.reach(len(pending))
    tickets.free()


def _simulate(world: World, group: World, case: Case, chosen: tuple[int, FlowCase], file: Writer) -> None:
    """One case to its end; one that diverges is marked with the reason."""
    i_case, flow = chosen
    simulation = Simulation(case, flow, i_case, file, group)
    try:
        for _ in simulation.run():
            world.progress()
        status = COMPLETE
    except Diverged as error:
        status = FAILED
        if group.is_root:
            file.write_text("failure", (i_case,), str(error))
    file.to_disk()
    group.barrier()
    if group.is_root:
        file.mark("computed", (i_case,), status)
    simulation.close()


def _compile(case: Case, flow: FlowCase) -> None:
    """Compile the kernels: one step of a case."""
    block = make_block(case, flow, SerialWorld())
    block.start(np.ones(block.shape), np.zeros((*block.shape, len(block.shape))))
    block.advance([0.0])


def _open(world: World, case: Case, flows: list[FlowCase]) -> Writer:
    path, schema, sizes = Path(case.output), schema_of(case), sizes_of(case)
    world.on_root(make_folder, path.parent)
    attributes = {
        "config": case.model_dump(mode="json"),
        "seed": case.seed,
        "dataset_name": "lbmgen",
        "grid_type": "cartesian",
        "n_spatial_dims": len(case.grid.cells),
        "n_trajectories": case.n_cases,
    }
    faces = zip(AXES, flows[0].domain.faces, strict=False)
    groups = {
        f"boundary_conditions/{axis}_{side}": {"bc_type": face.kind}
        for axis, pair in faces
        for side, face in zip(("low", "high"), pair, strict=True)
    }
    file = Writer.open(world, path, schema, sizes, attributes, free_keys=FREE_KEYS, groups=groups)
    if not file.finished:
        if world.is_root:  # also when resumed: the first try may have died before
            _write_axes(case, file)
        file.sync()
    return file


def _write_axes(case: Case, file: Writer) -> None:
    """Coordinates of cells, frames and forces, and where the boundary conditions hold."""
    width, frames = case.grid.refinement, case.frames
    for axis, n in zip(AXES, case.grid.cells, strict=False):
        file.write(f"dimensions/{axis}", (), width * (np.arange(n) + 0.5))
        for side, end in (("low", 0), ("high", n - 1)):
            file.write(f"boundary_conditions/{axis}_{side}/mask", (), np.arange(n) == end)
    file.write("dimensions/time", (), frames.every * (np.arange(frames.count) + 1.0))
    n_records = frames.count * frames.every // frames.force_every
    file.write("forces/time", (), frames.force_every * (np.arange(n_records) + 0.5) + 0.5)
