"""What a run will do and cost, before it runs: shape of the file, groups of ranks, relaxation, memory and time."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from lbmgen.cases import draw_all, most_bodies
from lbmgen.config import FREE_KEYS, Case
from lbmgen.decomposition import Decomposition
from lbmgen.flow_case import FlowCase
from lbmgen.lattices import lattice
from lbmgen.layout import Layout
from lbmgen.simulation import warm_up_rounds
from lbmgen.soundness import fastest_of
from runkit.config import dump_toml
from runkit.dataset.contracts.flow import FLOW, FLOW_3D
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
DRAWN = 100  # cases that `show` looks at: drawing a body can take longer than a reader waits
GPU_SHARE = 1.25  # memory of a case on a GPU over that of its populations: tables of boundaries


def schema_of(case: Case) -> Schema:
    """The contract of the file."""
    return FLOW if len(case.grid.cells) == 2 else FLOW_3D


def sizes_of(case: Case) -> dict[str, int]:
    """Lengths of the dimensions of the file."""
    n_records = case.frames.count * case.frames.every // case.frames.force_every
    axes = dict(zip("xyz", case.grid.cells, strict=False))
    return {"case": case.n_cases, "time": case.frames.count, "force_time": n_records, "body": most_bodies(case), **axes}


def require_whole_records(case: Case) -> None:
    """Raise UserError if force records do not fill the time between frames."""
    frames = case.frames
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


def gpu_bytes(case: Case, flow: FlowCase, n_ranks: int) -> float:
    """Memory that a case takes on each of `n_ranks` GPUs: populations, tables, what is solid, means over cells."""
    _, shape = Decomposition.best(flow.shape, n_ranks, case.grid.refinement, slabs=False).block(0)
    layout = Layout(lattice(case.grid.lattice), shape, case.collision.precision)
    d, populations = len(shape), layout.plane * layout.lattice.q * layout.dtype.itemsize
    return GPU_SHARE * populations + math.prod(shape) * (1 + 8 * (1 + d) / case.grid.refinement**d)


def show(case: Case) -> None:
    """Print the resolved configuration, then what it means: cases, groups, file, memory and estimated time."""
    require_own_name(case.output)
    require_whole_records(case)
    with redirect_stdout(sys.stderr):  # progress
        flows = draw_all(case.model_copy(update={"n_cases": min(case.n_cases, DRAWN)}), SerialWorld())
    sizes, n_ranks = sizes_of(case), planned_size()
    groups = n_groups(n_ranks, case.ranks_per_case)
    decomposition = Decomposition.best(flows[0].shape, n_ranks // groups, case.grid.refinement)
    steps = (warm_up_rounds(case) + case.frames.count) * case.frames.every
    sites = math.prod(flows[0].shape)
    seconds = math.ceil(case.n_cases / groups) * sites * steps / decomposition.n_blocks / RATE[len(flows[0].shape)]
    on_gpu = gpu_bytes(case, flows[0], n_ranks // groups)
    memory = sites / decomposition.n_blocks * (lattice(case.grid.lattice).q * (12 if _is_single(case) else 24) + 60)
    drawn = f", in the first {DRAWN} cases" if case.n_cases > DRAWN else ""
    print(dump_toml(case))
    there = found_at(Path(case.output), schema_of(case), case.model_dump(mode="json"), FREE_KEYS)
    for line in (
        f"file       {case.output}: {in_units(n_bytes(schema_of(case), sizes))}, {_dimensions(case, sizes)}",
        *([f"there      {there}"] if there else []),
        f"cases      {case.n_cases} of {_by(flows[0].shape)} sites, {steps} steps each, of which "
        f"{case.frames.count * case.frames.every} in frames",
        f"bodies     {_counted(flows)}{drawn}",
        f"tau        {_ends([flow.tau for flow in flows])}, "
        f"Reynolds number {_ends([flow.reynolds for flow in flows])}, "
        f"length {_ends([flow.length for flow in flows])} sites{drawn}",
        f"velocity   {_ends([flow.velocity for flow in flows])}, "
        + (
            "nominal: no inlet or sliding wall has it, and what comes is measured"
            if flows[0].is_nominal
            else f"at its peak {_ends([fastest_of(flow.domain) for flow in flows])}"
        )
        + drawn,
        f"ranks      {n_ranks} in {_many(groups, 'group', 'groups')}; a case is cut into {_by(decomposition.grid)}",
        f"memory     about {in_units(3e8 + memory)} per rank; on a GPU {in_units(on_gpu)} per case, as many at once as "
        f"it holds, up to {case.cases_per_gpu if case.ranks_per_case == 1 else 1}",
        f"cost       {case.n_cases * sites * steps:.3g} site updates, about {duration(seconds)} on as many cores as "
        "ranks",
    ):
        print("# " + line)


def _dimensions(case: Case, sizes: Mapping[str, int]) -> str:
    """Lengths of the dimensions of the file, in words."""
    told = {"case": "case/cases", "time": "frame/frames", "force_time": "force record/force records"}
    counts = [_many(sizes[name], *words.split("/")) for name, words in told.items()]
    return ", ".join([*counts, f"room for {_many(sizes['body'], 'body', 'bodies')}", f"{_by(case.grid.cells)} cells"])


def _many(n: int, one: str, more: str) -> str:
    return f"{n} {one if n == 1 else more}"


def _by(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))


def _is_single(case: Case) -> bool:
    return case.collision.precision == "float32"


def _counted(flows: list[FlowCase]) -> str:
    counts = Counter(body.family for flow in flows for body in flow.placed)
    rejected = sum((Counter(flow.rejections) for flow in flows), Counter())
    told = ", ".join(f"{n} {family}" for family, n in sorted(counts.items())) or "none"
    return told + (f"; drawn again for {dict(sorted(rejected.items()))}" if rejected else "")


def _ends(values: list[float]) -> str:
    return f"{np.min(values):.4g} to {np.max(values):.4g}"
