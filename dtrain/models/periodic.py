"""Convolutions over (t, x, y) that halve or double x and y, and go on at the other side where an axis is periodic.

Elsewhere, and along t, they see zeros beyond the edge. A shift of the input along a periodic axis by twice the number
of cells that a layer's output is shifted by gives the same output, shifted: no cell of such an axis is an edge.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

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
