"""Convolutions over (x, y) or (t, x, y) that go on at the other side where an axis is periodic.

Elsewhere, and along t, they see zeros beyond the edge. Those over (t, x, y) halve or double x and y: a shift of the
input along a periodic axis by twice the number of cells that a layer's output is shifted by gives the same output,
shifted. So no cell of such an axis is an edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from runkit.errors import UserError

# A kernel of twice the stride covers every cell equally often on the way up.
KERNEL, STRIDE = (3, 4, 4), (1, 2, 2)
Axes = tuple[bool, bool]  # whether x and y are periodic


def halving(inputs: int, outputs: int, periodic: Axes, bias: bool = True) -> nn.Conv3d:
    """A convolution; 2 n cells of an axis become n."""
    x, y = (0 if wraps else 1 for wraps in periodic)
    kind = PeriodicConv3d if any(periodic) else nn.Conv3d
    return kind(inputs, outputs, KERNEL, STRIDE, (1, x, y), bias=bias)


def doubling(inputs: int, outputs: int, periodic: Axes, bias: bool = True) -> nn.ConvTranspose3d:
    """A deconvolution; n cells of an axis become 2 n."""
    x, y = (3 if wraps else 1 for wraps in periodic)  # 2 more of the 2 (n + 2) cells that a wrapped axis gives
    kind = PeriodicConvTranspose3d if any(periodic) else nn.ConvTranspose3d
    return kind(inputs, outputs, KERNEL, STRIDE, (1, x, y), bias=bias)


class PeriodicConv3d(nn.Conv3d):
    """Periodic along the axes that it does not pad by zeros."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_wrapped(x, *(1 - int(n) for n in self.padding[1:])))


class PeriodicConvTranspose3d(nn.ConvTranspose3d):
    """Periodic along the axes of which it cuts three cells off at each end."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(_wrapped(x, *(int(n) // 3 for n in self.padding[1:])), output_size)


def _wrapped(x: Tensor, along_x: int, along_y: int) -> Tensor:
    """With one cell, or none, of the other side beyond each end of the last two axes."""
    return pad(x, (along_y, along_y, along_x, along_x, 0, 0), mode="circular")


class PeriodicConv2d(nn.Conv2d):
    """As many cells out as in, for an odd kernel; `periodic` says along which of x and y the other side is seen."""

    def __init__(self, inputs: int, outputs: int, kernel: int, periodic: Axes, dilation: int = 1) -> None:
        reach = dilation * (kernel // 2)
        x, y = (reach if wraps else 0 for wraps in periodic)
        super().__init__(inputs, outputs, kernel, padding=(reach - x, reach - y), dilation=dilation)
        self.reach = x, y

    def forward(self, x: Tensor) -> Tensor:
        if any(self.reach):
            x = _beyond(_beyond(x, self.reach[0], -2), self.reach[1], -1)
        return super().forward(x)


def periodic_axes(periodic: Sequence[int], stride: int) -> Axes:
    """Whether x and y are periodic; ValueError for a period that layers cannot halve to the end."""
    if not (isinstance(periodic, (list, tuple)) and len(periodic) == 2 and all(type(n) is int for n in periodic)):
        raise ValueError(f"periodic = {periodic!r} is not allowed; allowed: two whole numbers, 0: not periodic")
    for n, name in zip(periodic, "xy", strict=True):
        if n < 0 or n % stride:
            raise ValueError(_no_multiple(name, n, stride))
    return periodic[0] > 0, periodic[1] > 0


def to_stride(x: Tensor, stride: int, periodic: Axes) -> Tensor:
    """With zeros at the upper ends of x and y, up to the next multiple; UserError if a periodic axis needs them."""
    nx, ny = x.shape[-2:]
    for n, name, wraps in zip((nx, ny), "xy", periodic, strict=True):
        if wraps and n % stride:
            raise UserError(_no_multiple(name, n, stride))
    # torch.compile, which reasons about sizes, has no remainder of a number that it takes for negative.
    more_x, more_y = ((n + stride - 1) // stride * stride - n for n in (nx, ny))
    return pad(x, (0, more_y, 0, more_x))


def _no_multiple(axis: str, n: int, stride: int) -> str:
    message = f"{n} cells along {axis}, which is periodic, are no multiple of {stride} = 2 to the number of widths"
    return f"{message}; take fewer widths, or data.periodic = false"


def _beyond(x: Tensor, reach: int, axis: int) -> Tensor:
    """With the cells of the other side beyond each end of an axis, which may be shorter than the reach."""
    n = x.shape[axis]
    if reach == 0:
        return x
    turns = -(-reach // n)
    return torch.cat([x] * (2 * turns + 1), axis).narrow(axis, turns * n - reach, n + 2 * reach)
