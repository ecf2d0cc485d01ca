"""The average of a network's weights over the steps of a training (EMA), which is smoother than the last ones.

After update n, average <- d average + (1 - d) weights, with d = min(decay, (1 + n) / (10 + n)): early weights are soon
forgotten. Statistics that layers have gathered (batch normalisation) are averaged like weights.
Source: B. T. Polyak and A. B. Juditsky, SIAM J. Control Optim. 30, 838 (1992), doi:10.1137/0330046; the shorter memory
of the first updates is that of TensorFlow's ExponentialMovingAverage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """The average of what this process holds of a network: all of it, or under ZeRO stage 3 a shard of each parameter.

    `n_updates` counts updates. The network keeps its own weights except within `in_place`.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay, self.n_updates = network, decay, 0
        self._average = {name: _held(tensor).clone() for name, tensor in self._tensors().items()}

    def update(self) -> None:
        """Move the average towards the present weights; the host waits for nothing."""
        self.n_updates += 1
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        present = [_held(tensor) for tensor in self._tensors().values()]
        get_ema_multi_avg_fn(decay)(list(self._average.values()), present, self.n_updates)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network computes with the average, and has its own weights again at the end, to the last bit."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """What a checkpoint keeps; `weights` are those of the network `in_place`, whole."""
        return {"n_updates": self.n_updates, "weights": {name: weights[name] for name in self._average}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` gave, with any number of processes."""
        self.n_updates = int(state["n_updates"])
        for name, tensor in self._tensors().items():
            average, whole = self._average[name], state["weights"][name].to(self._average[name].device)
            if is_sharded(tensor):
                start = dist.get_rank(tensor.ds_process_group) * average.numel()  # type: ignore[attr-defined]
                whole = whole.flatten()[start : start + average.numel()]
                average = average[: whole.numel()]  # the last shards are padded
            average.copy_(whole)

    @torch.no_grad()
    def _exchange(self) -> None:
        """Exchange the average with the weights that the network computes with."""
        for name, tensor in self._tensors().items():
            if is_sharded(tensor):
                tensor.partition()  # type: ignore[attr-defined]  # what was gathered is gathered anew from the shards
            held, average = _held(tensor), self._average[name]
            present = held.clone()
            held.copy_(average)
            average.copy_(present)

    def _tensors(self) -> dict[str, Tensor]:
        """Parameters and gathered statistics by name, each once; counts are no statistics."""
        found: dict[int, tuple[str, Tensor]] = {}
        for name, tensor in self.network.state_dict(keep_vars=True).items():
            if tensor.is_floating_point():
                found.setdefault(id(tensor), (name, tensor))
        return dict(found.values())


def is_sharded(tensor: Tensor) -> bool:
    """Whether processes hold shards of a tensor (ZeRO stage 3)."""
    return hasattr(tensor, "ds_tensor")


def _held(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor: itself, or its shard."""
    held: Tensor = tensor.ds_tensor if is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return held.detach()
