"""A training step of a network: forms of it, each with time, memory and work."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tools.gpu_check.step import Bench

Inputs = tuple[Tensor, ...]
Loss = Callable[[Any], Tensor]


class Form(NamedTuple):
    """How a step is computed: `precision` of products (ieee, tf32, bf16), compiled or not, `n` samples at once."""

    name: str
    n: int = 1
    precision: str = "ieee"
    compiled: bool = False

    def __str__(self) -> str:
        compiled = ", compiled" if self.compiled else ""
        return f"{self.name} {self.precision}{compiled}, {self.n} at once"

    def set(self) -> None:
        """Choose the arithmetic for this process."""
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.precision == "tf32"

    def autocast(self) -> Any:
        """As DeepSpeed's torch_autocast."""
        return torch.autocast(where(), torch.bfloat16, enabled=self.precision == "bf16")


def where() -> str:
    """The kind of device that torch computes on."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def wait() -> None:
    if where() == "cuda":
        torch.cuda.synchronize()


def peaks(bench: Bench) -> dict[str, float]:
    """TFLOP/s of a large matrix product by precision."""
    n, found = bench.size(8192, 64), {}
    for precision in ("ieee", "tf32", "bf16"):
        Form("", precision=precision).set()
        a = torch.randn(n, n, device=where(), dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
        found[precision] = 2 * n**3 / seconds(partial(torch.matmul, a, a), bench.size(10, 1), 2) / 1e12
    return found


def measure(bench: Bench, form: Form, network: nn.Module, inputs: Inputs, loss: Loss, peak: dict[str, float]) -> Tensor:
    """Record a training step of `network`; returns its first output, for comparisons."""
    form.set()
    network = network.to(where())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.0)
    counter = FlopCounterMode(display=False)
    with counter:
        take_step(network, optimizer, form, inputs, loss)
    if form.compiled:
        network.compile()
    began = time.perf_counter()
    take_step(network, optimizer, form, inputs, loss)
    wait()
    first = time.perf_counter() - began
    taken = seconds(lambda: take_step(network, optimizer, form, inputs, loss), bench.size(20, 1), bench.size(3, 1))
    tflops = counter.get_total_flops() / taken / 1e12
    figures = {"ms": 1e3 * taken, "per_s": form.n / taken, "first_s": first, "tflops": tflops}
    memory = _memory(lambda: take_step(network, optimizer, form, inputs, loss))
    with torch.no_grad(), form.autocast():
        output = network(*inputs)[0].detach().double().cpu()
    bench.record(form=str(form), **figures, of_peak=tflops / peak[form.precision], GiB=memory)
    return output


def take_step(network: nn.Module, optimizer: torch.optim.Optimizer, form: Form, inputs: Inputs, loss: Loss) -> None:
    """Forward, backward, clipping, and an update that changes nothing."""
    with form.autocast():
        outputs = network(*inputs)
    loss(outputs).backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def seconds(function: Callable[[], Any], n_calls: int, turns: int) -> float:
    """Of one call: the least of `turns` means."""
    function()
    found = []
    for _ in range(turns):
        wait()
        began = time.perf_counter()
        for _ in range(n_calls):
            function()
        wait()
        found.append((time.perf_counter() - began) / n_calls)
    return min(found)


def _memory(step: Callable[[], Any]) -> float | None:
    """GiB that a step takes beside weights and inputs."""
    if where() != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    wait()
    return (torch.cuda.max_memory_allocated() - before) / 2**30
