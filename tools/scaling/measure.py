"""Units of work measured here, in processor time, which other programs on the machine hardly disturb; and whole runs.

A run on P ranks takes the processor time of one rank's run and, for each further rank, that of a start: MPI, imports,
kernels from the cache (a run that does next to nothing else). That is what `runs` compares. Wall times stand beside it:
with more ranks than cores they follow the cores.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from tools.scaling.model import training_step

CASE = (
    "system.n_particles=500", "system.temperature=1.0", "initial.melt_time=0.5", "initial.cooling_time=1",
    "initial.hold_time=1", "production.n_samples=4", "production.n_replicas=64", "production.times=[0.1,4]",
)  # fmt: skip
TEMPERATURE, DT = 2.0, 0.005
SHORT = (*CASE[:2], "initial.melt_time=0.005", "initial.cooling_time=0.005", "initial.hold_time=0.005",
         "production.n_samples=1", "production.n_replicas=2", "production.times=[0.005]")  # fmt: skip
ROOT = Path(__file__).parents[2]
LIMIT = 600.0  # seconds of a run
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
        seconds = _processor_seconds(partial(dynamics.step, n_steps, dt=DT))
        yield f"molecular dynamics, {name}", n_replicas * n_steps * n_particles / seconds / 1e6, "M atom-steps/s"
    replicas = start.position + 0.3 * np.random.default_rng(1).random((32, n_particles, 3))
    seconds = _processor_seconds(lambda: sample_labels([replicas], start, 2))
    yield "labels, 32 replicas at one time", 1e9 * seconds / (32 * n_particles), "ns per particle and replica"
    yield from _file(replicas.astype(np.float32))
    for n_ranks in (2, 4):
        for n_bytes in (8, 1 << 20):
            yield f"all-reduce of {n_bytes} bytes, {n_ranks} ranks", 1e6 * _all_reduce(n_ranks, n_bytes), "us"


class Step:
    """A training step of the first phase of a recipe on one core, without the optimiser: its cost by its samples."""

    def __init__(self, recipe: str, settings: list[str]) -> None:
        import torch

        from dtrain.config import load_recipe
        from dtrain.data import data as data_sets
        from dtrain.weights import build_network

        torch.set_num_threads(1)
        self.recipe = load_recipe(recipe, settings)
        self.phase = next(iter(self.recipe.phase))
        self.data = data_sets.get(self.recipe.data.name)(self.recipe.data_in(self.phase), seed=1)
        self.network, self.options = build_network(self.recipe, self.data.sizes), self.recipe.loss_in(self.phase)
        self.n_bytes = 4.0 * sum(p.numel() for p in self.network.parameters())
        self._seconds: dict[int, float] = {}

    def seconds(self, n_samples: int) -> float:
        """Processor seconds of losses and gradients; `micro` samples at a time, which cost less than one by one."""
        at_once = self.recipe.micro or n_samples
        whole, rest = divmod(n_samples, at_once)
        return whole * self._of(at_once) + (self._of(rest) if rest else 0.0)

    def _of(self, n_samples: int) -> float:
        if n_samples not in self._seconds:
            samples = (self.data.split["train"] * n_samples)[:n_samples]
            batch = self.data.batch(samples, [0] * n_samples)

            def work() -> None:
                self.data.loss(self.data.output(self.network, batch), batch, self.options)["loss"].sum().backward()

            work()
            self._seconds[n_samples] = min(_processor_seconds(work, 0) for _ in range(3))
        return self._seconds[n_samples]


def training(recipe: str, settings: list[str]) -> Iterator[tuple[str, float, str]]:
    """Cost of a sample of a recipe: forming it, a step, operations; and steps on several cores, by the model."""
    import torch

    from dtrain.estimate import cost_of, peak_rate

    step = Step(recipe, settings)
    sample = step.data.split["train"][0]
    yield "forming a sample (its graph)", 1e3 * _processor_seconds(lambda: step.data.batch([sample]), 0), "ms"
    yield "training step of a sample", 1e3 * step.seconds(1), "ms"
    cost, batch = cost_of(step.network, step.data, step.options), step.recipe.batch
    if cost is not None:
        share = batch * cost.n_operations / step.seconds(batch) / peak_rate(torch.device("cpu"))
        share_in_words = f"{100 * share:.0f} % of a matrix product's rate in a step of {batch}"
        yield "its operations", cost.n_operations / 1e9, f"GFLOP, {share_in_words}"
    yield "its gradients", step.n_bytes / 1e3, "kB to be summed"
    exchange = _message()
    for n_workers in (1, 2, 4, 8, 16, 32):
        if n_workers <= batch:
            seconds = training_step(step.seconds(-(-batch // n_workers)), n_workers, exchange, step.n_bytes)
            yield f"a step of {batch} on {n_workers} of such cores, model", 1e3 * seconds, "ms"


def trainings(recipe: str, settings: list[str], ranks: list[int]) -> Iterator[tuple[int, Mapping[str, float], float]]:
    """For each number of processes: the pace of the recipe's first phase, and seconds of a step by the model.

    What a step of one process takes beside losses and gradients (the optimiser, DeepSpeed) is the same for any number.
    """
    step, beside = Step(recipe, settings), 0.0
    batch, numbers = step.recipe.batch, sorted({1, *ranks})
    for n_ranks in numbers:
        if n_ranks < 1 or batch % n_ranks:
            raise UserError(f"--ranks {n_ranks}: allowed: what divides the batch of {batch}")
    exchange = _message()
    for n_ranks in numbers:
        with TemporaryDirectory() as folder:
            program = [str(ROOT / "dtrain/train.py"), recipe, *settings]
            _launched(n_ranks, [*program, f"output={folder}", "name=run", "device=cpu", "threads=1"])
            pace = json.loads((Path(folder) / "run/summary.json").read_text())["pace"][step.phase]
        if not pace:
            raise UserError(f"{recipe}: phase {step.phase} has too few steps to be timed")
        if n_ranks == 1:
            beside = 1e-3 * pace["processor_ms"] - step.seconds(batch)
        yield n_ranks, pace, beside + training_step(step.seconds(batch // n_ranks), n_ranks, exchange, step.n_bytes)


def _all_reduce(n_ranks: int, n_bytes: int) -> float:
    """Seconds of a sum over ranks."""
    found = re.search(r"seconds (\S+)", _launched(n_ranks, ["-c", EXCHANGE, str(n_bytes)]))
    assert found is not None  # rank 0 has printed it
    return float(found[1])


def _message() -> tuple[float, float]:
    """Latency [s] and bandwidth [bytes/s] of a message between two ranks here, from sums round their ring."""
    n_bytes = 1 << 20
    latency, seconds = (_all_reduce(2, each) / 2 for each in (8, n_bytes))  # two messages of half the bytes
    return latency, n_bytes / 2 / max(seconds - latency, 1e-9)


def runs(ranks: list[int]) -> Iterator[tuple[int, float, float, float, list[str]]]:
    """For each number of ranks: processor seconds of a run, those of the model, wall seconds, and what the run says of
    itself."""
    with TemporaryDirectory() as folder:
        _run(folder, 1, "first.h5", SHORT)  # fills the cache of kernels
        start, *_ = _run(folder, 1, "start.h5", SHORT)
        one, taken, message = _run(folder, 1, "one.h5", CASE)
        for n_ranks in ranks:
            spent = one
            if n_ranks > 1:
                spent, taken, message = _run(folder, n_ranks, f"run{n_ranks}.h5", CASE)
            yield n_ranks, spent, one + (n_ranks - 1) * start, taken, message


def _run(folder: str, n_ranks: int, name: str, case: Sequence[str]) -> tuple[float, float, list[str]]:
    before, began = _children(), time.perf_counter()
    message = _launched(n_ranks, ["-m", "mdgen", *case, f"output={folder}/{name}"])
    return _children() - before, time.perf_counter() - began, _own_words(message)


def _own_words(message: str) -> list[str]:
    """The lines of a run from `efficiency` on."""
    lines = message.splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith("efficiency")), len(lines))
    return lines[first : first + 6]


def _launched(n_ranks: int, command: list[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    ended = run_apart([mpiexec(), "-n", str(n_ranks), sys.executable, *command], LIMIT, environment)
    if ended.code != 0:
        raise UserError(f"mpiexec -n {n_ranks} {' '.join(command)[:60]}: {ended.how}: {ended.text.strip()[-300:]}")
    return ended.text


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _processor_seconds(work: Callable[[], Any], n_first: int = 1) -> float:
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
