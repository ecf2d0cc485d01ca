"""A U-Net of residual blocks for flow, which stays true in long rollouts where it is trained on them.

The frames that are given lie side by side as channels of one picture in two dimensions, and so do those that come out.
Going down, a convolution of stride 2 halves the two axes; on every level lie residual blocks of two convolutions, on
the coarsest one with growing dilation, so that a cell there sees far. Going up, cells are repeated and then convolved:
every cell gets as many weights as its neighbours, so there is no checkerboard, which deconvolutions leave. The last
layers see the given frames at full resolution again. A flow carries itself: its advection is a product of velocities
and their differences. So with `gated` a block multiplies channels. Beyond a periodic face layers see the other side of
the flow, beyond a symmetry plane as much of its mirror image as `images` says, beyond any other zeros.

Source: O. Ronneberger et al., arXiv:1505.04597 (U-Net); K. He et al., arXiv:1603.05027 (residual blocks); F. Yu and
V. Koltun, arXiv:1511.07122 (dilation); N. Shazeer, arXiv:2002.05202 (gates with GELU); A. Odena et al., Distill (2016),
doi:10.23915/distill.00003 (checkerboards).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

from dtrain.models import model, require_count, require_list, require_switch, require_whole
from dtrain.models.mirrors import NO_PLANES, inner, planes_of, with_images
from dtrain.models.norms import norm_layer
from dtrain.models.periodic import Axes, PeriodicConv2d, periodic_axes, to_stride
from dtrain.models.stream_function import without_divergence
from runkit.errors import UserError


@model("flow-unet")
class FlowUNet(nn.Module):
    """Frames [n, inputs, t, x, y] -> the next t frames [n, outputs, t, x, y], whose quantities are the first of inputs.

    t is always `frames`. Of the inputs those after the first `outputs` do not change in time: the network looks at
    them once. `widths` are the channels of the levels at 1/2, 1/4, … of the resolution, each with `blocks` residual
    blocks on the way down; `dilations` those of the blocks on the coarsest level; `fine` the channels at full
    resolution. With `gated` the second convolution of a block sees products, of one half of the channels with the
    other. With `increments` the network adds to the last frame it was given. With `stream` what it adds to velocity (or
    to its mean) has a stream function, so that it has no divergence; outputs are then density and velocity x and y, and
    `spreads` the units of the velocities. `periodic` are the cells after which x and y repeat, each a multiple of 2 to
    the number of widths; 0: they do not. `planes` says whether the low and the high face of x and of y are symmetry
    planes: no stream function lets flow through, and the network sees `images` cells beyond them.
    """

    def __init__(
        self,
        inputs: int = 4,
        outputs: int = 3,
        frames: int = 3,
        widths: Sequence[int] = (32, 48),
        fine: int = 16,
        blocks: int = 1,
        dilations: Sequence[int] = (1, 2, 4, 1),
        norm: str = "none",
        gated: bool = False,
        increments: bool = True,
        stream: bool = False,
        spreads: Sequence[float] = (1.0, 1.0),
        images: int = 0,
        periodic: Sequence[int] = (0, 0),
        planes: Sequence[Sequence[bool]] = NO_PLANES,
    ) -> None:
        super().__init__()
        require_list(widths=widths, dilations=dilations)
        require_whole(inputs=inputs, outputs=outputs, frames=frames, fine=fine, blocks=blocks)
        require_switch(gated=gated, increments=increments, stream=stream)
        require_count(images=images)
        if (stream or images) and outputs != 3:
            raise ValueError(f"stream, images: 3 outputs are needed, density and two velocities, not {outputs}")
        self.outputs, self.frames, self.increments = outputs, frames, increments
        self.spreads = tuple(map(float, spreads)) if stream else None
        self.stride: int = 2 ** len(widths)
        self.periodic = periodic_axes(periodic, self.stride)
        self.planes, self.images = planes_of(planes), images
        block = partial(Residual, norm=norm, axes=self.periodic, gated=gated)
        self._add_layers(outputs * frames + inputs - outputs, widths, fine, blocks, dilations, block)

    def _add_layers(
        self,
        n_seen: int,
        widths: Sequence[int],
        fine: int,
        blocks: int,
        dilations: Sequence[int],
        block: Callable[..., Residual],
    ) -> None:
        """Layers that see `n_seen` channels of a picture; `block` makes one of so many channels and a dilation."""
        axes = self.periodic
        narrower = tuple(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.halving = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in zip((n_seen, *widths), widths, strict=False))
        self.down = nn.ModuleList(nn.Sequential(*(block(width) for _ in range(blocks))) for width in widths[:-1])
        self.coarsest = nn.Sequential(*(block(widths[-1], dilation) for dilation in dilations))
        self.doubling = nn.ModuleList(PeriodicConv2d(a, b, 3, axes) for a, b in narrower)
        self.up = nn.ModuleList(block(width) for _, width in narrower)
        self.finest = PeriodicConv2d(widths[0], fine, 3, axes)
        self.seen = PeriodicConv2d(n_seen, fine, 3, axes)
        self.last = PeriodicConv2d(fine, self.outputs * self.frames, 3, axes)
        with torch.no_grad():
            self.last.weight.mul_(0.1)  # predictions start near the mean, or near the last frame

    def forward(self, x: Tensor) -> tuple[Tensor]:
        n, _, t, nx, ny = x.shape
        if t != self.frames:
            raise UserError(f"{t} frames were given to a network of {self.frames}; data.frames says how many")
        picture = torch.cat([x[:, : self.outputs].flatten(1, 2), x[:, self.outputs :, 0]], 1)
        picture = picture.contiguous(memory_format=torch.channels_last)
        if self.images:
            picture = with_images(picture, self.planes, self.images, t)
        picture = to_stride(picture, self.stride, self.periodic).contiguous(memory_format=torch.channels_last)
        y, passed = picture, []
        for halve, blocks in zip(self.halving[:-1], self.down, strict=True):
            y = blocks(halve(y))
            passed.append(y)
        y = self.coarsest(self.halving[-1](y))
        for convolution, block in zip(self.doubling, self.up, strict=True):
            y = block(passed.pop() + convolution(repeated(y)))
        y = self.last(gelu(self.finest(repeated(y)) + self.seen(picture)))
        y = inner(y, self.planes, self.images, (nx, ny)).float().reshape(n, -1, t, nx, ny)
        if self.spreads is not None:
            y = torch.cat([y[:, :1], without_divergence(y[:, 1:], self.periodic, self.spreads, self.planes)], 1)
        return (x[:, : self.outputs, -1:] + y if self.increments else y,)


class Residual(nn.Module):
    """Two convolutions of 3 x 3, the first one dilated, each after a normalisation and GELU; what comes in is added.

    If `gated`, the first one gives 2 m channels, m about two thirds of `channels`, and the second one sees the first m
    times GELU of the other m.
    """

    def __init__(self, channels: int, dilation: int = 1, *, norm: str, axes: Axes, gated: bool) -> None:
        super().__init__()
        after = _gated_width(channels) if gated else channels
        between = 2 * after if gated else channels
        self.norms = nn.ModuleList(norm_layer(norm, width) for width in (channels, between))
        self.convolutions = nn.ModuleList(
            [PeriodicConv2d(channels, between, 3, axes, dilation), PeriodicConv2d(after, channels, 3, axes)]
        )
        self.activation = gated_gelu if gated else gelu
        with torch.no_grad():
            self.convolutions[1].weight.mul_(0.3)  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolutions[0](gelu(self.norms[0](x)))
        found: Tensor = x + self.convolutions[1](self.activation(self.norms[1](y)))
        return found


def gated_gelu(x: Tensor) -> Tensor:
    """The first half of the channels [n, channels, x, y] times GELU of the second one.

    Channels-last, the gates of a cell are a short piece of memory, where torch's loop over vectors on a CPU hardly
    starts: copied together first, 24 gates take a seventh of the time.
    """
    factor, gate = x.chunk(2, 1)
    if gate.device.type == "cpu":
        gate = gate.contiguous(memory_format=torch.channels_last)
    return factor * gelu(gate)


def _gated_width(channels: int) -> int:
    """Two thirds, rounded up to eights: from 32 channels on, as many parameters as without gates, within 13 %."""
    return -(-channels // 12) * 8


def repeated(x: Tensor) -> Tensor:
    """Every cell [n, channels, x, y] as 2 x 2 cells."""
    return interpolate(x, scale_factor=2.0, mode="nearest")
