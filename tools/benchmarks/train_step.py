"""Time, memory and arithmetic of training steps on a device, in each precision; entry: `measure`, `with_data`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dtrain.data.loader import Feed, Order, Share
from dtrain.precision import use_precision
from dtrain.ranks import keep_freed_memory
from runkit.errors import UserError
from tools.benchmarks.train_tasks import N_SAMPLES, Liquid, Street, Task

GIB = 2**30
HEADS = ("case", "ms/step", "samples/s", "memory, GiB", "GFLOP", "TFLOP/s", "of a product", "first, s", "differs")


@dataclass(frozen=True)
class Form:
    """How a step is computed: `precision` is float32, tf32 (on a GPU) or bf16 (by autocast)."""

    precision: str = "float32"
    samples: int = 1
    compiled: bool = False
    benchmark: bool = False  # let cuDNN try all its algorithms

    def __str__(self) -> str:
        more = {"compiled": self.compiled, "cuDNN's choice": self.benchmark}
        return ", ".join(
            [f"{self.precision}, {self.samples} at once", *(word for word, is_so in more.items() if is_so)]
        )

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """The arithmetic of the forward pass."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")


@dataclass(frozen=True)
class Measured:
    """A step: seconds in each turn and of the first one, and memory beyond weights and batch (bytes; NaN on the CPU).

    Operations count two per multiply-add; `product` is their rate in a product of matrices in this precision [1/s].
    `differs` is the relative difference of the losses from those of float32.
    """

    form: Form
    seconds: tuple[float, ...]
    first: float
    memory: float
    n_operations: float
    product: float
    differs: float

    @property
    def share(self) -> float:
        """The rate of operations over that of a product of matrices."""
        return self.n_operations / float(np.median(self.seconds)) / self.product


class Machine:
    """A device, how many steps and turns a measurement has there, and the rates of its products of matrices."""

    def __init__(self, device: torch.device, n_steps: int = 0, n_turns: int = 3) -> None:
        self.device, self.n_turns = device, n_turns
        self.n_steps = n_steps or (20 if device.type == "cuda" else 1)
        self._products: dict[str, float] = {}

    def wait(self) -> None:
        """Until all is computed."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], Any], n_times: int) -> float:
        """Wall time of one call, by the mean over some."""
        self.wait()
        began = time.perf_counter()
        for _ in range(n_times):
            work()
        self.wait()
        return (time.perf_counter() - began) / n_times

    def product(self, precision: str) -> float:
        """Operations per second of a product of large square matrices: the best of some."""
        if precision not in self._products:
            n = 8192 if self.device.type == "cuda" else 1024
            use_precision("tf32" if precision == "tf32" else "ieee")
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            a, b = (torch.randn(n, n, device=self.device, dtype=dtype) for _ in "ab")
            best = min(self.seconds(lambda: a @ b, 5) for _ in range(4))
            self._products[precision] = 2 * n**3 / best
        return self._products[precision]

    def peak(self, work: Callable[[], Any]) -> float:
        """Memory in bytes that a call takes beyond what is held before it; NaN on the CPU."""
        if self.device.type != "cuda":
            return float("nan")
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        work()
        self.wait()
        return float(torch.cuda.max_memory_allocated(self.device) - before)


class Step:
    """A training step of a task in a form, callable: on one batch again and again, or on the batch that is given.

    It returns the loss of each sample [n].
    """

    def __init__(self, task: Task, form: Form, device: torch.device) -> None:
        torch.manual_seed(1)
        self.task, self.form, self.device = task, form, device
        self.network: nn.Module = task.network().to(device)
        if form.compiled:
            self.network.compile(dynamic=getattr(self.network, "dynamic", None))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-4)
        task.place(device, stay=True)
        self.batch = task.batch(range(form.samples), [0] * form.samples)

    def __call__(self, batch: Any = None) -> torch.Tensor:
        with self.form.autocast(self.device):
            losses = self.task.losses(self.network, self.batch if batch is None else batch)
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return losses.detach()


def measure(task: Task, form: Form, machine: Machine) -> Measured:
    """Measure a training step; leaves strict float32 behind."""
    reference = Step(task, Form(samples=form.samples), machine.device)
    with FlopCounterMode(display=False) as counter:
        exact = reference()
    del reference
    product = machine.product(form.precision)
    use_precision("tf32" if form.precision == "tf32" else "ieee")
    torch.backends.cudnn.benchmark = form.benchmark
    try:
        step = Step(task, form, machine.device)
        found: list[torch.Tensor] = []
        first = machine.seconds(lambda: found.append(step()), 1)
        memory = machine.peak(step)
        turns = tuple(machine.seconds(step, machine.n_steps) for _ in range(machine.n_turns))
    finally:
        use_precision("ieee")
        torch.backends.cudnn.benchmark = False
    differs = float((found[0] - exact).norm() / exact.norm())
    return Measured(form, turns, first, memory, counter.get_total_flops(), product, differs)


def with_data(task: Task, form: Form, machine: Machine, stay: bool) -> tuple[float, float]:
    """Seconds of a step whose batch comes from the feed of training, and the share that is waited for it."""
    step = Step(task, form, machine.device)
    task.place(machine.device, stay)
    feed, n = Feed(task, machine.device), form.samples
    order, n_steps = Order(tuple(range(N_SAMPLES)), 1, "bench"), 4 + machine.n_turns * machine.n_steps
    began = waited = 0.0
    for k, ((batch, _),) in enumerate(feed.steps(order, Share(n, 0, 1, n), range(n_steps))):
        step(batch)
        if k == 3:  # what is kept has been made, and the network has warmed up
            machine.wait()
            began, waited = time.perf_counter(), feed.waited
    machine.wait()
    taken = time.perf_counter() - began
    return taken / (n_steps - 4), (feed.waited - waited) / taken


def forms(task: Task, samples: list[int], device: torch.device, compiled: bool) -> Iterator[Form]:
    """The forms in which a task is measured on a device; the flow CNN takes eight times as many samples."""
    on_gpu = device.type == "cuda"
    for n in samples:
        n *= 8 if isinstance(task, Street) else 1
        for precision in ("float32", "tf32", "bf16") if on_gpu else ("float32", "bf16"):
            yield Form(precision, n)
            if on_gpu and isinstance(task, Street):
                yield Form(precision, n, benchmark=True)
            if compiled:
                yield Form(precision, n, compiled=True)


def run(arguments) -> None:
    """Measure all forms and print the tables."""
    machine = Machine(_device(arguments.device), arguments.steps, arguments.turns)
    tasks: dict[str, Task] = {"botan": Liquid(arguments.particles), "flow": Street(arguments.cells)}
    for name, task in tasks.items():
        if arguments.network not in (name, "both"):
            continue
        print(f"\n{task.name}, samples of {task.size}, on {machine.device}\n")
        print("| " + " | ".join(HEADS) + " |\n" + "| --- " * len(HEADS) + "|")
        for form in forms(task, arguments.samples, machine.device, arguments.compile):
            print("| " + " | ".join(_cells(measure(task, form, machine))) + " |", flush=True)
        for stay in (True, False):
            form = Form(samples=arguments.samples[0] * (8 if name == "flow" else 1))
            seconds, waited = with_data(task, form, machine, stay)
            where = "stay on the device" if stay else "come from memory"
            print(f"\n{form}; samples {where}: {1e3 * seconds:.4g} ms/step, at most {100 * waited:.2g} % waiting")


def _cells(found: Measured) -> list[str]:
    seconds = float(np.median(found.seconds))
    rate = found.n_operations / seconds
    numbers = [1e3 * seconds, found.form.samples / seconds, found.memory / GIB, found.n_operations / 1e9, rate / 1e12]
    numbers += [found.share, found.first, found.differs]
    return [str(found.form), *("-" if np.isnan(number) else f"{number:.4g}" for number in numbers)]


def _device(wanted: str) -> torch.device:
    if wanted == "gpu" and not torch.cuda.is_available():
        raise UserError("--device gpu: torch finds no CUDA GPU here; allowed: auto, cpu")
    if wanted == "cpu" or not torch.cuda.is_available():
        torch.set_num_threads(1)
        keep_freed_memory()
        return torch.device("cpu")
    return torch.device("cuda", 0)
