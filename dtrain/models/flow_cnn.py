"""The flow CNN: 3-D convolutions over time and space and the mirrored deconvolutions, with skip connections.

Going down, a layer halves the two axes of space and keeps that of time; going up, its deconvolution doubles them again
and may see what the layer was given (`skip`). Fully convolutional: any grid, any number of frames.

Source: the network of the report of JHPCN project jh220052 (2022), section 5.2: tanh, batch normalisation in all layers
but those of input and output, U-Net-like skips (O. Ronneberger et al., arXiv:1505.04597). Widths and kernels are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from dtrain.models import model, require_switch, require_whole
from dtrain.models.norms import norm_layer

# Of all layers, over (t, x, y); a kernel of twice the stride covers every cell equally often on the way up.
KERNEL, STRIDE, PADDING = (3, 4, 4), (1, 2, 2), (1, 1, 1)
DEEPEST = 12  # layers going down: a grid of 4096 cells has become one cell


@model("flow-cnn")
class FlowCNN(nn.Module):
    """Frames [n, inputs, t, x, y] -> the next t frames [n, outputs, t, x, y], whose quantities are the first of inputs.

    `widths` are the channels going down; with `increments` the network adds to the last frame it was given.
    """

    def __init__(
        self,
        inputs: int = 4,
        outputs: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        skip: bool = True,
        norm: str = "batch",
        increments: bool = True,
    ) -> None:
        super().__init__()
        if not (isinstance(widths, (list, tuple)) and 1 <= len(widths) <= DEEPEST):
            raise ValueError(f"widths = {widths!r} is not allowed; allowed: a list of 1 to {DEEPEST} whole numbers")
        require_whole(inputs=inputs, outputs=outputs, **{f"widths[{i}]": width for i, width in enumerate(widths)})
        require_switch(skip=skip, increments=increments)
        self.outputs, self.skip, self.increments = outputs, skip, increments
        self.stride: int = 2 ** len(widths)
        depth = len(widths)
        self.down = nn.ModuleList(
            _layer(nn.Conv3d, a, b, norm if i > 0 else "none")
            for i, (a, b) in enumerate(zip((inputs, *widths), widths, strict=False))
        )
        above = (outputs, *widths)
        self.up = nn.ModuleList(
            _layer(nn.ConvTranspose3d, widths[i] * (2 if skip and i < depth - 1 else 1), above[i], norm)
            for i in range(depth - 1, 0, -1)
        )
        self.last = nn.ConvTranspose3d(widths[0] * (2 if skip and depth > 1 else 1), outputs, KERNEL, STRIDE, PADDING)
        with torch.no_grad():
            self.last.weight.mul_(0.1)  # predictions start near the mean, or near the last frame

    def forward(self, x: Tensor) -> tuple[Tensor]:
        nx, ny = x.shape[-2:]
        y = pad(x, (0, self._missing(ny), 0, self._missing(nx)))
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

    def _missing(self, n: int) -> int:
        """Cells up to the next multiple of the stride; torch.compile knows no remainder of a negative number."""
        return (self.stride - n % self.stride) % self.stride


def _layer(convolution: type[nn.Module], inputs: int, outputs: int, norm: str) -> nn.Sequential:
    has_bias = norm != "batch"  # batch statistics take it away again
    layer = convolution(inputs, outputs, KERNEL, STRIDE, PADDING, bias=has_bias)
    return nn.Sequential(layer, norm_layer(norm, outputs), nn.Tanh())
