"""Plan of a run before it starts: shape of the file, groups of ranks, relaxation, memory and time."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from lbmgen.case import Case
from lbmgen.cases import draw_all, most_bodies
from lbmgen.config import FREE_KEYS, RunConfig
from lbmgen.decomposition import Decomposition
from lbmgen.lattices import lattice
from lbmgen.layout import Layout
from lbmgen.points import points_of, require_room
from lbmgen.simulation import warm_up_rounds
from lbmgen.soundness import fastest_of
from runkit.config import dump_toml
from runkit.dataset.contracts.flow import FLOW, FLOW_3D, POINTS
from runkit.dataset.layout import in_units, n_bytes
from runkit.dataset.resume import found_at
from runkit.dataset.schema import Schema
from runkit.errors import UserError
from runkit.launcher import planned_size
from runkit.mpi import SerialWorld
from runkit.outputs import require_own_name
from runkit.progress import duration

# Site updates per core-second that the estimate assumes, in two and three dimensions, float32 (docs/performance.md).
RATE = {2: 2e8, 3: 5e7}
PROGRAM = 3e8  # bytes of a rank before it has any data
DRAWN = 100  # cases that `show` draws: that of a body can take longer than a reader waits
GPU_SHARE = 1.25  # memory of a case on a GPU over that of its populations: tables of boundaries


def schema_of(config: RunConfig) -> Schema:
    """The contract of the file."""
    schema = FLOW if len(config.grid.cells) == 2 else FLOW_3D
    return schema if config.frames.points else schema.without(*POINTS)


def sizes_of(config: RunConfig) -> dict[str, int]:
    """Lengths of the dimensions of the file."""
    n_records = config.frames.count * config.frames.every // config.frames.force_every
    axes = dict(zip("xyz", config.grid.cells, strict=False))
    return {
        "case": config.n_cases,
        "time": config.frames.count,
        "force_time": n_records,
        "body": most_bodies(config),
        **axes,
        **({"point": config.frames.points} if config.frames.points else {}),
    }


def require_whole_records(config: RunConfig) -> None:
    """Raise UserError if force records do not fill the time between frames."""
    frames = config.frames
    if frames.every % frames.force_every:
        raise UserError(
            f"frames.force_every = {frames.force_every}: it must divide frames.every = {frames.every}; allowed: "
            + ", ".join(str(n) for n in range(1, min(frames.every, 1000) + 1) if frames.every % n == 0)
        )


def n_groups(n_ranks: int, ranks_per_case: int) -> int:
    """Groups that ranks form; raises UserError if there are too few ranks for one."""
    if ranks_per_case > n_ranks:
        there = "there is 1 rank; allowed: 1" if n_ranks == 1 else f"there are {n_ranks} ranks; allowed: 1 to {n_ranks}"
        raise UserError(f"ranks_per_case = {ranks_per_case}: {there}")
    return n_ranks // ranks_per_case


def group_of(rank: int, n_ranks: int, ranks_per_case: int) -> int:
    """The group of a rank: neighbours in rank stay together."""
    return rank * n_groups(n_ranks, ranks_per_case) // n_ranks


def gpu_bytes(config: RunConfig, case: Case, n_ranks: int) -> float:
    """Memory that a case takes on each of `n_ranks` GPUs: populations, tables, what is solid, means over cells."""
    _, shape = Decomposition.best(case.shape, n_ranks, config.grid.refinement, slabs=False).block(0)
    layout = Layout(lattice(config.grid.lattice), shape, config.collision.precision)
    d, populations = len(shape), layout.plane * layout.lattice.q * layout.dtype.itemsize
    found: float = GPU_SHARE * populations + math.prod(shape) * (1 + 8 * (1 + d) / config.grid.refinement**d)
    return found


def memory_in_words(config: RunConfig, case: Case, n_ranks: int) -> str:
    """Main memory that a rank takes where so many share a case."""
    populations = lattice(config.grid.lattice).q * (12 if config.collision.precision == "float32" else 24)
    return f"about {in_units(PROGRAM + math.prod(case.shape) / n_ranks * (populations + 60))} per rank"


def show(config: RunConfig) -> None:
    """Print the resolved configuration, then what it means: cases, groups, file, memory and estimated time."""
    require_own_name(config.output)
    require_whole_records(config)
    require_room(config)
    with redirect_stdout(sys.stderr):  # progress
        cases = draw_all(config.model_copy(update={"n_cases": min(config.n_cases, DRAWN)}), SerialWorld())
    sizes, n_ranks = sizes_of(config), planned_size()
    groups = n_groups(n_ranks, config.ranks_per_case)
    decomposition = Decomposition.best(cases[0].shape, n_ranks // groups, config.grid.refinement)
    steps = (warm_up_rounds(config) + config.frames.count) * config.frames.every
    sites = math.prod(cases[0].shape)
    seconds = math.ceil(config.n_cases / groups) * sites * steps / decomposition.n_blocks / RATE[len(cases[0].shape)]
    on_gpu = gpu_bytes(config, cases[0], n_ranks // groups)
    drawn = f", in the first {DRAWN} cases" if config.n_cases > DRAWN else ""
    print(dump_toml(config))
    there = found_at(Path(config.output), schema_of(config), config.model_dump(mode="json"), FREE_KEYS)
    for line in (
        f"file       {config.output}: {in_units(n_bytes(schema_of(config), sizes))}, {_dimensions(config, sizes)}",
        *([f"there      {there}"] if there else []),
        f"cases      {config.n_cases} of {_by(cases[0].shape)} sites, {steps} steps each, of which "
        f"{config.frames.count * config.frames.every} in frames",
        f"bodies     {_counted(cases)}{drawn}",
        *([f"points     {_points(config, cases[0])}"] if config.frames.points else []),
        f"tau        {_ends([case.tau for case in cases])}, "
        f"Reynolds number {_ends([case.reynolds for case in cases])}, "
        f"length {_ends([case.length for case in cases])} sites{drawn}",
        f"velocity   {_velocity(config, cases)}{drawn}",
        f"ranks      {n_ranks} in {_many(groups, 'group', 'groups')}; a case is cut into {_by(decomposition.grid)}",
        f"memory     {memory_in_words(config, cases[0], decomposition.n_blocks)}; on a GPU {in_units(on_gpu)} per "
        f"case, as many at once as it holds, up to {config.cases_per_gpu if config.ranks_per_case == 1 else 1}",
        f"cost       {config.n_cases * sites * steps:.3g} site updates, about {duration(seconds)} on as many cores as "
        "ranks",
    ):
        print("# " + line)


def _velocity(config: RunConfig, cases: Sequence[Case]) -> str:
    """The reference velocities of cases, and what is known of the largest ones."""
    pulsation = config.flow.pulsation
    peak = f"at its peak {_ends([(1 + pulsation) * fastest_of(case.domain) for case in cases])}"
    known = "nominal: no inlet or sliding wall has it, and what comes is measured" if cases[0].is_nominal else peak
    waves = f", in waves of {config.flow.period:g} steps" if pulsation else ""
    return f"{_ends([case.velocity for case in cases])}, {known}{waves}"


def _dimensions(config: RunConfig, sizes: Mapping[str, int]) -> str:
    """Lengths of the dimensions of the file, in words."""
    units = {"case": "case/cases", "time": "frame/frames", "force_time": "force record/force records"}
    counts = [_many(sizes[name], *words.split("/")) for name, words in units.items()]
    room = [f"room for {_many(sizes['body'], 'body', 'bodies')}"]
    room += [f"for {_many(sizes['point'], 'point', 'points')}"] if "point" in sizes else []
    return ", ".join([*counts, *room, f"{_by(config.grid.cells)} cells"])


def _points(config: RunConfig, case: Case) -> str:
    """How many points a case has, and how wide their cells are, in words."""
    width, count = np.unique(points_of(case, config.grid.refinement, config.frames.points).width, return_counts=True)
    widths = ", ".join(
        f"{n} of {_many(w, 'site', 'sites')}" for w, n in zip(width.tolist(), count.tolist(), strict=True)
    )
    return f"{_many(int(count.sum()), 'cell', 'cells')} near the bodies of the first case, by width: {widths or 'none'}"


def _many(n: int, one: str, more: str) -> str:
    return f"{n} {one if n == 1 else more}"


def _by(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))


def _counted(cases: list[Case]) -> str:
    counts = Counter(body.family for case in cases for body in case.bodies)
    rejected = sum((Counter(case.rejections) for case in cases), Counter())
    drawn = ", ".join(f"{n} {family}" for family, n in sorted(counts.items())) or "none"
    return drawn + (f"; drawn again for {dict(sorted(rejected.items()))}" if rejected else "")


def _ends(values: list[float]) -> str:
    return f"{np.min(values):.4g} to {np.max(values):.4g}"
