"""Normalisation of channels over samples, time and space, the same for any number of processes.

Batch statistics are those of all processes together: a step of N processes normalises as one process with the whole
batch does. torch's own synchronised layer needs CUDA; this one needs `torch.distributed` alone.
Source: S. Ioffe and C. Szegedy, arXiv:1502.03167; Y. Wu and K. He, arXiv:1803.08494 (groups).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from runkit.errors import UserError

NORMS = ("batch", "group", "none")
GROUP = 8  # channels that are normalised together, at most


def norm_layer(kind: str, channels: int) -> nn.Module:
    """The layer for [n, channels, x, y] or [n, channels, t, x, y]; ValueError for an unknown kind."""
    if kind == "batch":
        return BatchNorm(channels)
    if kind == "group":
        return GroupNorm(next(n for n in range(-(-channels // GROUP), channels + 1) if channels % n == 0), channels)
    if kind == "none":
        return nn.Identity()
    raise ValueError(f"norm = {kind!r} is not allowed; allowed: {', '.join(NORMS)}")


class GroupNorm(nn.GroupNorm):
    """`torch.nn.GroupNorm` that says in one line where there is nothing to normalise; in single precision at least."""

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() == x.shape[0] * self.num_groups:
            raise _too_small("a group of channels")
        return super().forward(_wide(x))


class BatchNorm(nn.BatchNorm3d):
    """`torch.nn.BatchNorm3d` whose statistics in training are those of all processes of the default group."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            if self.training and x.numel() == x.shape[1]:
                raise _too_small("a channel of the batch")
            return super().forward(x)
        wide = _wide(x)
        var, mean = torch.var_mean(wide, dim=(0, *range(2, x.dim())), correction=0)
        count = wide.new_full((1,), x.numel() / x.shape[1])
        moments = torch.cat([count, count * mean, count * (var + mean.square())]).double()
        summed: Callable[[Tensor], Tensor] = _Sum.apply
        count, *sums = torch.split(summed(moments), [1, x.shape[1], x.shape[1]])
        mean, square = (total / count for total in sums)
        var = square - mean.square()
        self._remember(mean, var * count / (count - 1))
        scale = self.weight * (var + self.eps).rsqrt().to(wide.dtype)
        shift = self.bias - mean.to(wide.dtype) * scale
        shape = -1, *(1 for _ in x.shape[2:])
        return torch.addcmul(shift.view(shape), wide, scale.view(shape)).to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Two dimensions are as good as three; torch has a class for each."""

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        """Move the statistics that are used after training towards those of this batch."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(var.to(self.running_var.dtype), self.momentum)


def _wide(x: Tensor) -> Tensor:
    """In single precision at least: half has too few digits for statistics, and on a CPU slow kernels for them."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _too_small(what: str) -> UserError:
    return UserError(
        f"{what} has one value at the coarsest layer of the network: none is left once its mean is taken away; choose "
        'fewer model.parameters.widths, a larger batch and micro, or norm = "none"'
    )


class _Sum(torch.autograd.Function):
    """The sum over processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total
