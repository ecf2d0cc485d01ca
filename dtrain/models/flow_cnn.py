"""The flow CNN: 3-D convolutions over time and space and the mirrored deconvolutions, with skip connections.

Going down, a layer halves the two axes of space and keeps that of time; going up, its deconvolution doubles them again
and may see what the layer was given (`skip`). Fully convolutional: any grid, any number of frames. Beyond a
periodic face layers see the other side of the flow, beyond any other zeros.

Source: the network of the report of JHPCN project jh220052 (2022), section 5.2: tanh, batch normalisation in all layers
but those of input and output, U-Net-like skips (O. Ronneberger et al., arXiv:1505.04597). Widths and kernels are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from dtrain.models import model, require_list, require_switch, require_whole
from dtrain.models.norms import norm_layer
from dtrain.models.periodic import Axes, doubling, halving, periodic_axes, to_stride

Layer = Callable[[int, int, Axes, bool], nn.Module]


@model("flow-cnn")
class FlowCNN(nn.Module):
    """Frames [n, inputs, t, x, y] -> the next t frames [n, outputs, t, x, y], whose quantities are the first of inputs.

    `widths` are the channels going down; with `increments` the network adds to the last frame it was given. `periodic`
    are the cells after which x and y repeat, each a multiple of 2 to the number of widths; 0: they do not.
    """

    def __init__(
        self,
        inputs: int = 4,
        outputs: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        skip: bool = True,
        norm: str = "batch",
        increments: bool = True,
        periodic: Sequence[int] = (0, 0),
    ) -> None:
        super().__init__()
        require_list(widths=widths)
        require_whole(inputs=inputs, outputs=outputs)
        require_switch(skip=skip, increments=increments)
        self.outputs, self.skip, self.increments = outputs, skip, increments
        depth = len(widths)
        self.stride: int = 2**depth
        self.periodic = axes = periodic_axes(periodic, self.stride)
        self.down = nn.ModuleList(
            _layer(halving, a, b, norm if i > 0 else "none", axes)
            for i, (a, b) in enumerate(zip((inputs, *widths), widths, strict=False))
        )
        above = (outputs, *widths)
        self.up = nn.ModuleList(
            _layer(doubling, widths[i] * (2 if skip and i < depth - 1 else 1), above[i], norm, axes)
            for i in range(depth - 1, 0, -1)
        )
        self.last = doubling(widths[0] * (2 if skip and depth > 1 else 1), outputs, axes)
        with torch.no_grad():
            self.last.weight.mul_(0.1)  # predictions start near the mean, or near the last frame

    def forward(self, x: Tensor) -> tuple[Tensor]:
        nx, ny = x.shape[-2:]
        y = to_stride(x, self.stride, self.periodic)
        y = y.contiguous(memory_format=torch.channels_last_3d)  # a quarter faster on the CPU
        passed: list[Tensor] = []
        for layer in self.down:
            y = layer(y)
            passed.append(y)
        passed.pop()
        for layer in self.up:
            y = layer(y)
            if self.skip:
                y = torch.cat([y, passed.pop()], dim=1)
        y = self.last(y)[..., :nx, :ny].float()
        return (x[:, : self.outputs, -1:] + y if self.increments else y,)


def _layer(layer: Layer, inputs: int, outputs: int, norm: str, periodic: Axes) -> nn.Sequential:
    has_bias = norm != "batch"  # batch statistics take it away again
    return nn.Sequential(layer(inputs, outputs, periodic, has_bias), norm_layer(norm, outputs), nn.Tanh())
