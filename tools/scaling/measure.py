"""Units of work measured here, in processor time, which other programs on the machine hardly disturb; and whole runs.

A run on P ranks takes the processor time of one rank's run and, for each further rank, that of a start: MPI, imports,
kernels from the cache (a run that does next to nothing else). That is what `runs` compares. Wall times stand beside it:
with more ranks than cores they follow the cores.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.initial import Configuration, melt, wrap
from mdgen.neighbors import spatial_order
from mdgen.observables import sample_labels
from mdgen.potentials import potential
from mdgen.velocities import maxwell_velocities
from runkit.child import run_apart
from runkit.errors import UserError
from tools.mpiexec import mpiexec

TEMPERATURE, DT = 2.0, 0.005
LIMIT = 600.0  # seconds of a run
_LIQUID = ("system.n_particles=500", "system.temperature=1.0")
_FLOW = ("grid.cells=[32,32]", "obstacles.diameter=[4,5]", "obstacles.clearance=2", "obstacles.upstream=1",
         "obstacles.downstream=2")  # fmt: skip
# Of each generator a run, and one that does next to nothing but start.
CASES = {
    "mdgen": (
        (*_LIQUID, "initial.melt_time=0.5", "initial.cooling_time=1", "initial.hold_time=1", "production.n_samples=4",
         "production.n_replicas=64", "production.times=[0.1,4]"),
        (*_LIQUID, "initial.melt_time=0.005", "initial.cooling_time=0.005", "initial.hold_time=0.005",
         "production.n_samples=1", "production.n_replicas=2", "production.times=[0.005]"),
    ),
    "lbmgen": (
        (*_FLOW, "n_cases=64", "frames.count=10", "frames.every=50"),
        (*_FLOW, "n_cases=1", "frames.count=1", "frames.every=10", "frames.warm_up=0"),
    ),
}  # fmt: skip
EXCHANGE = """
import sys, time, numpy as np
from runkit.mpi.start import world_communicator
comm, n = world_communicator(), int(sys.argv[1])
a, b = np.ones(n // 4, np.float32), np.empty(n // 4, np.float32)
best = 1e9
for _ in range(30):
    comm.Barrier()
    began = time.perf_counter()
    comm.Allreduce(a, b)
    best = min(best, time.perf_counter() - began)
if comm.rank == 0:
    print("seconds", best)
"""


def units(n_particles: int = 4096) -> Iterator[tuple[str, float, str]]:
    """Name, value and unit of what a piece of work costs on one core."""
    start = _liquid(n_particles)
    for name, n_replicas in (("one system", 1), ("8 replicas together", 8)):
        n_steps = 400 // n_replicas
        dynamics = _dynamics(start, n_replicas)
        seconds = processor_seconds(partial(dynamics.step, n_steps, dt=DT))
        yield f"molecular dynamics, {name}", n_replicas * n_steps * n_particles / seconds / 1e6, "M atom-steps/s"
    replicas = start.position + 0.3 * np.random.default_rng(1).random((32, n_particles, 3))
    seconds = processor_seconds(lambda: sample_labels([replicas], start, 2))
    yield "labels, 32 replicas at one time", 1e9 * seconds / (32 * n_particles), "ns per particle and replica"
    yield from _file(replicas.astype(np.float32))
    for n_ranks in (2, 4):
        for n_bytes in (8, 1 << 20):
            yield f"all-reduce of {n_bytes} bytes, {n_ranks} ranks", 1e6 * _all_reduce(n_ranks, n_bytes), "us"


def _all_reduce(n_ranks: int, n_bytes: int) -> float:
    """Seconds of a sum over ranks."""
    found = re.search(r"seconds (\S+)", launched(n_ranks, ["-c", EXCHANGE, str(n_bytes)]))
    assert found is not None  # rank 0 has printed it
    return float(found[1])


def runs(program: str, ranks: list[int]) -> Iterator[tuple[int, float, float, float, list[str]]]:
    """For each number of ranks: processor seconds of a generator's run, those of the model, wall seconds, and what the
    run says of itself."""
    case, short = CASES[program]
    with TemporaryDirectory() as folder:
        run = partial(_run, program, folder)
        run(1, short)  # fills the cache of kernels
        start, *_ = run(1, short)
        one, taken, message = run(1, case)
        for n_ranks in ranks:
            spent = one
            if n_ranks > 1:
                spent, taken, message = run(n_ranks, case)
            yield n_ranks, spent, one + (n_ranks - 1) * start, taken, message


def _run(program: str, folder: str, n_ranks: int, case: Sequence[str]) -> tuple[float, float, list[str]]:
    before, began = _children(), time.perf_counter()
    name = f"{began}.h5"
    message = launched(n_ranks, ["-m", program, *case, f"output={folder}/{name}"])
    return _children() - before, time.perf_counter() - began, _own_words(message)


def _own_words(message: str) -> list[str]:
    """The lines of a run from `efficiency` on."""
    lines = message.splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith("efficiency")), len(lines))
    return lines[first : first + 6]


def launched(n_ranks: int, command: list[str]) -> str:
    """What so many ranks of Python print with these words."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    ended = run_apart([mpiexec(), "-n", str(n_ranks), sys.executable, *command], LIMIT, environment)
    if ended.code != 0:
        raise UserError(f"mpiexec -n {n_ranks} {' '.join(command)[:60]}: {ended.how}: {ended.text.strip()[-300:]}")
    return ended.text


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_seconds(work: Callable[[], Any], n_first: int = 1) -> float:
    """Of one call, after some that compile and fill caches."""
    for _ in range(n_first):
        work()
    began = time.process_time()
    work()
    return time.process_time() - began


def _liquid(n_particles: int) -> Configuration:
    """The mixture by Kob and Andersen at its density, hot and off its lattice."""
    start = melt(n_particles, (0.8, 0.2), 1.2, 1, 0)
    dynamics = _dynamics(start, 1)
    dynamics.step(400, dt=DT)
    return replace(start, position=wrap(dynamics.position[0], start.box))


def _dynamics(start: Configuration, n_replicas: int) -> Dynamics:
    n_particles = len(start.position)
    velocity = [maxwell_velocities(n_particles, TEMPERATURE, 1, 0, replica) for replica in range(n_replicas)]
    law = potential.build("kob-andersen")
    order = spatial_order(start.position, start.box)
    return Dynamics([start.position] * n_replicas, velocity, start.species, start.box, law, DT, "float32", order=order)


def _file(values: np.ndarray) -> Iterator[tuple[str, float, str]]:
    """A file of 32 replicas' positions, to disk."""
    with TemporaryDirectory(dir=".") as folder:
        began = time.perf_counter()
        with open(Path(folder) / "values", "wb") as file:
            for _ in range(8):
                file.write(values.tobytes())
            file.flush()
            os.fsync(file.fileno())
        yield "writing, to disk", 8 * values.nbytes / (time.perf_counter() - began) / 1e6, "MB/s (wall time)"
