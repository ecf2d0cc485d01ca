"""What a training step costs, before it is taken: operations and memory, from shapes alone; nothing is computed.

Operations are those of products of matrices and convolutions, forward and backward, as torch counts them (one
multiplication and one addition are two). Memory is what lies on a device besides samples that are kept there: weights,
their average if there is one, gradients and the two moments of Adam in float32, and what the forward pass keeps for the
backward one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.utils.flop_counter import FlopCounterMode

from dtrain.data import AnyDataSet
from runkit.config import Config
from runkit.dataset.layout import in_units
from runkit.efficiency import peak_bytes

ADAM = 16  # bytes of a parameter: weight, gradient, two moments
WEIGHT = 4  # of one that is not trained
AVERAGE = 4  # and its average over steps
_UNKNOWN = (DataDependentOutputException, DynamicOutputShapeException, UnsupportedOperatorException)


class Cost(NamedTuple):
    """Operations of a sample, bytes of parameters, bytes that the forward pass of a sample keeps."""

    n_operations: float
    parameter_bytes: float
    kept_bytes: float

    def in_words(self, micro_batch: int) -> str:
        """Operations and memory of a device with `micro_batch` samples at a time, in float32, in words."""
        n_bytes = self.parameter_bytes + micro_batch * self.kept_bytes
        return (
            f"{self.n_operations / 1e9:.3g} GFLOP per sample; memory: {in_units(n_bytes)} per device in float32, "
            f"{in_units(self.parameter_bytes)} of it weights, gradients and optimiser, besides samples that stay there"
        )


def cost_of(network: nn.Module, data: AnyDataSet, options: Config, ema: float = 0.0) -> Cost | None:
    """The cost of the first training sample; None if shapes depend on values. No other process takes part.

    `network` is as it was, with statistics that it has gathered; `ema` is the decay of its average, 0: there is none.
    """
    batch = data.batch([data.split["train"][0]], [0])  # as it is trained on, which may be shorter than in validation
    kept: dict[int, int] = {}  # bytes of a storage, which lives as long as the losses do
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    own = {tensor.untyped_storage()._cdata for tensor in (*network.parameters(), *network.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    training = [(module, module.training) for module in network.modules()]
    network.eval()  # in training some layers gather statistics over the processes
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False) as counter:
            fake = batch.each(torch.empty_like)
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                loss = data.loss(data.output(network, fake), fake, options)["loss"].sum()
            torch.autograd.grad(loss, parameters, allow_unused=True)
    except _UNKNOWN:
        return None
    finally:
        for module, is_training in training:
            module.training = is_training
    n_bytes = ADAM * sum(parameter.numel() for parameter in parameters)
    n_bytes += WEIGHT * sum(parameter.numel() for parameter in network.parameters() if not parameter.requires_grad)
    n_bytes += AVERAGE * bool(ema) * sum(parameter.numel() for parameter in network.parameters())
    return Cost(float(counter.get_total_flops()), float(n_bytes), float(sum(kept.values())))


def peak_rate(device: torch.device, dtype: torch.dtype = torch.float32) -> float:
    """Operations per second of a product of large square matrices in the present precision: the best of some.

    On the CPU that of one thread, by its processor time, as if nobody else used the core, times the cores that the
    threads of this process can have: several threads at once would count the time in which they wait for each other.
    """
    if device.type == "cuda":
        return _rate_of_product(8192, device, dtype, 0.1, time.perf_counter)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:  # no power of two, whose rows would share places of the cache
        rate = _rate_of_product(384, device, dtype, 0.05, time.thread_time)
    finally:
        torch.set_num_threads(n_threads)
    return rate * min(n_threads, len(os.sched_getaffinity(0)))


def _rate_of_product(
    n: int, device: torch.device, dtype: torch.dtype, seconds: float, clock: Callable[[], float]
) -> float:
    a, b = (torch.ones(n, n, device=device, dtype=dtype) for _ in "ab")
    best, deadline = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < deadline:
        _wait(device)
        began = clock()
        torch.mm(a, b)
        _wait(device)
        best = min(best, clock() - began)
    return 2 * n**3 / best


def peak_memory(device: torch.device) -> int:
    """The largest memory so far: of torch on a GPU, of this process on the CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_bytes()


def _wait(device: torch.device) -> None:
    """Until a GPU has computed all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
