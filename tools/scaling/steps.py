"""Steps of a training in processor time: what one process computes, what it sends, and whole trainings beside the sum.

Processes of one training wait for each other without computing (gloo), so the processor time of a step is that of its
work and of its messages alone. It is a lower bound of wall time on as many idle cores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode

from dtrain.config import load_recipe
from dtrain.data import data as data_sets
from dtrain.estimate import cost_of, peak_rate
from dtrain.ranks import keep_freed_memory
from dtrain.weights import build_network
from runkit.errors import UserError
from tools.scaling.measure import launched, processor_seconds
from tools.scaling.model import training_step

ROOT = Path(__file__).parents[2]
TURNS = 5  # of measurements, of which the least counts
# Between sums a step takes the caches for itself, so each sum finds none of its values there.
EXCHANGE = """
import sys, time, torch, torch.distributed as dist
from dtrain.ranks import connect
ranks, found, other = connect("cpu", 1), [], torch.ones(1 << 22)
for n_bytes in map(int, sys.argv[1:]):
    values, seconds = torch.ones(n_bytes // 4), []
    for _ in range(60):
        other.add_(1)
        began = time.process_time()
        dist.all_reduce(values)
        seconds.append(time.process_time() - began)
    found.append(sum(seconds[10:]) / 50)
found = ranks.mean(found)
if ranks.is_root:
    print("seconds", *found)
ranks._let_others_leave_first()
"""


class Share(NamedTuple):
    """What one process does in a step: processor seconds, and bytes of each sum over processes."""

    seconds: float
    messages: tuple[int, ...] = ()


class _Sums(TorchDispatchMode):
    """Notes the bytes of each sum over processes."""

    def __init__(self) -> None:
        super().__init__()
        self.n_bytes: list[int] = []

    def __torch_dispatch__(self, call: Any, types: Any, words: Any = (), options: Any = None) -> Any:
        if call is torch.ops.c10d.allreduce_.default:
            self.n_bytes += [values.nbytes for values in words[0]]
        return call(*words, **(options or {}))


class Step:
    """A training step of the first phase of a recipe on one core, without the optimiser: its cost by its samples."""

    def __init__(self, recipe: str, settings: list[str]) -> None:
        torch.set_num_threads(1)
        keep_freed_memory()  # as a training does
        self.recipe = load_recipe(recipe, settings)
        self.phase = next(iter(self.recipe.phase))
        self.data = data_sets.get(self.recipe.data.name)(self.recipe.data_in(self.phase), seed=1)
        self.network, self.options = build_network(self.recipe, self.data.sizes), self.recipe.loss_in(self.phase)
        self.n_bytes = 4 * sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        self._found: dict[tuple[int, int], Share] = {}

    def share(self, n_samples: int, n_workers: int = 1) -> Share:
        """That of a process with so many samples; `micro` of them at a time, which cost less than one by one."""
        at_once = min(self.recipe.micro or n_samples, n_samples)
        one, n = self.of(at_once, n_workers), -(-n_samples // at_once)
        gradients = (self.n_bytes,) if n_workers > 1 else ()
        return Share(n * one.seconds, n * one.messages + gradients)

    def of(self, n_samples: int, n_workers: int = 1) -> Share:
        """Samples at once: forming the batch, losses and gradients, as one of these processes computes them.

        Batch statistics are summed over processes, by other formulas than those of one process alone.
        """
        if (n_samples, n_workers) not in self._found:
            samples = (self.data.split["train"] * n_samples)[:n_samples]

            def work() -> None:
                batch = self.data.batch(samples, [0] * n_samples)
                self.data.loss(self.data.output(self.network, batch), batch, self.options)["loss"].sum().backward()

            with _one_of(n_workers):
                with _Sums() as sums:
                    work()
                seconds = min(processor_seconds(work, 0) for _ in range(TURNS))
            self._found[n_samples, n_workers] = Share(seconds, tuple(sums.n_bytes))
        return self._found[n_samples, n_workers]


@contextmanager
def _one_of(n_workers: int) -> Iterator[None]:
    """This process as one of so many, of which the others are not there: their sums change and cost nothing."""
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=n_workers)
    try:
        yield
    finally:
        dist.destroy_process_group()


def training(recipe: str, settings: list[str]) -> Iterator[tuple[str, float, str]]:
    """Cost of a sample of a recipe: forming it, a step, operations; and steps on several cores, by the model."""
    step = Step(recipe, settings)
    sample, batch = step.data.split["train"][0], step.recipe.batch
    yield "forming a sample (its graph)", 1e3 * processor_seconds(lambda: step.data.batch([sample]), 0), "ms"
    yield "training step of a sample", 1e3 * step.of(1).seconds, "ms"
    cost = cost_of(step.network, step.data, step.options)
    if cost is not None:
        share = batch * cost.n_operations / step.share(batch).seconds / peak_rate(torch.device("cpu"))
        share_in_words = f"{100 * share:.0f} % of a matrix product's rate in a step of {batch}"
        yield "its operations", cost.n_operations / 1e9, f"GFLOP, {share_in_words}"
    yield "its gradients", step.n_bytes / 1e3, "kB to be summed"
    for n_workers in (1, 2, 4, 8, 16, 32):
        if n_workers <= batch:
            yield f"a step of {batch} on {n_workers} of such cores, model", 1e3 * _model(step, n_workers), "ms"


def trainings(recipe: str, settings: list[str], ranks: list[int]) -> Iterator[tuple[int, Mapping[str, float], float]]:
    """For each number of processes: the pace of the recipe's first phase, and seconds of a step by the model.

    By the model a step is that of one process alone with its share of the batch, which is measured too, with what
    processes compute otherwise than one and what they send.
    """
    step = Step(recipe, settings)
    batch, numbers = step.recipe.batch, sorted(set(ranks))
    for n_ranks in numbers:
        if n_ranks < 1 or batch % n_ranks:
            raise UserError(f"--ranks {n_ranks}: allowed: what divides the batch of {batch}")
    for n_ranks in numbers:
        alone = _pace(step, recipe, settings, 1, batch // n_ranks)
        pace = _pace(step, recipe, settings, n_ranks, batch) if n_ranks > 1 else alone
        yield n_ranks, pace, 1e-3 * alone["processor_ms"] + _among(step, n_ranks)


def _pace(step: Step, recipe: str, settings: list[str], n_ranks: int, batch: int) -> Mapping[str, float]:
    """That of the first phase of a training."""
    with TemporaryDirectory() as folder:
        n_epochs = step.recipe.phase[step.phase].epochs * batch / step.recipe.batch  # the same number of steps
        own = (f"batch={batch}", f"phase.{step.phase}.epochs={n_epochs}", f"output={folder}", "name=run", "device=cpu")
        launched(n_ranks, [str(ROOT / "dtrain/train.py"), recipe, *settings, *own, "threads=1"])
        pace: Mapping[str, float] = json.loads((Path(folder) / "run/summary.json").read_text())["pace"][step.phase]
    if not pace:
        raise UserError(f"{recipe}: phase {step.phase} has too few steps to be timed")
    return pace


def _among(step: Step, n_workers: int) -> float:
    """Processor seconds of a step of one of so many processes beyond those of a process with its samples alone."""
    n_samples = step.recipe.batch // n_workers
    seconds, messages = step.share(n_samples, n_workers)
    other = seconds - step.share(n_samples).seconds if len(messages) > 1 else 0.0  # sums of batch statistics
    return training_step(other, n_workers, _message() if messages else (0.0, 1.0), messages)


def _model(step: Step, n_workers: int) -> float:
    """Processor seconds of the fullest of so many processes in a step: losses, gradients, and sums over processes."""
    seconds, messages = step.share(-(-step.recipe.batch // n_workers), n_workers)
    return training_step(seconds, n_workers, _message() if messages else (0.0, 1.0), messages)


@cache
def _message() -> tuple[float, float]:
    """Processor seconds of a message between two processes of a training, and bytes per second of a long one.

    From sums over two, each of two messages of half the bytes.
    """
    small, large = 8, 1 << 22
    found = re.search(r"seconds (\S+) (\S+)", launched(2, ["-c", EXCHANGE, str(small), str(large)]))
    assert found is not None  # rank 0 has printed it
    latency, seconds = float(found[1]) / 2, float(found[2]) / 2
    return latency, large / 2 / max(seconds - latency, 1e-9)
