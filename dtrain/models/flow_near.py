"""A U-Net on the grid and, at points near bodies, a graph network that refines what it says.

On the grid the answer is that of `flow_unet.py`. Points start from their own last frame and what the U-Net adds in the
cell in which they lie; the processor of `botan.py`, on the graph of points alone, adds what the grid does not resolve.
So messages need not cross the domain, and the graph has hundreds of nodes instead of thousands.
Source: as of `flow_unet.py` and `botan.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dtrain.models import model, require_whole
from dtrain.models.flow_unet import FlowUNet
from dtrain.models.on_clouds import OnClouds
from runkit.errors import UserError

NEIGHBOURS = 8  # of a point, about


@model("flow-near")
class FlowNear(OnClouds):
    """Frames [n, outputs, t, k] of the nodes of n clouds -> the next t frames; t is always `frames`.

    Of the `inputs` of a node those after the first `outputs` do not change in time. `points` nodes come first, then the
    cells of a `grid`, row by row; what comes after them gets zeros. `edge_width` are the numbers that an edge carries,
    `width` and `rounds` those of the processor; `widths`, `fine` and `norm` are the U-Net's.
    """

    def __init__(
        self,
        inputs: int = 4,
        outputs: int = 3,
        frames: int = 3,
        edge_width: int = 5,
        points: int = 1,
        grid: Sequence[int] = (64, 64),
        width: int = 32,
        rounds: int = 4,
        widths: Sequence[int] = (32, 48),
        fine: int = 16,
        norm: str = "group",
        periodic: Sequence[int] = (0, 0),
    ) -> None:
        super().__init__()
        require_whole(edge_width=edge_width, points=points, width=width, rounds=rounds)
        self.points, self.shape = points, (grid[0], grid[1])
        self.of_grid = FlowUNet(inputs, outputs, frames, widths, fine, norm=norm, periodic=periodic)
        n_seen, n_answers = 2 * outputs * frames + inputs - outputs, outputs * frames
        self.add_layers(n_seen, n_answers, edge_width, width, rounds, NEIGHBOURS)

    def forward(
        self, given: Tensor, fixed: Tensor, cell: Tensor, edge_index: Tensor, edge_attr: Tensor
    ) -> tuple[Tensor]:
        """`fixed` [n, inputs - outputs, k]; `cell` [n, k] is the cell of the grid in which each node lies.

        `edge_index` [2, n_edges] counts the nodes of all clouds on; it joins points alone.
        """
        (nx, ny), p, k = self.shape, self.points, given.shape[-1]
        if k < p + nx * ny:
            raise UserError(f"a cloud of {k} nodes was given to a network of {p} points and {nx} x {ny} cells")
        seen = torch.cat([given, fixed[:, :, None].expand(-1, -1, given.shape[2], -1)], 1)[..., p : p + nx * ny]
        on_grid = self.of_grid(seen.unflatten(-1, (nx, ny)))[0].flatten(3)
        step = on_grid - given[:, :, -1:, p : p + nx * ny]
        step = step.gather(3, cell[:, None, None, :p].expand(-1, *step.shape[1:3], -1))
        index = edge_index // k * p + edge_index % k  # of the points alone
        at_points = self._refined(given[..., :p], fixed[..., :p], step, index, edge_attr)
        return (torch.cat([at_points, on_grid, torch.zeros_like(given[..., p + nx * ny :])], 3),)

    def _refined(self, given: Tensor, fixed: Tensor, step: Tensor, index: Tensor, edge_attr: Tensor) -> Tensor:
        """Frames at points [n, outputs, t, points], from theirs and from what the U-Net adds in the cell of each."""
        seen = torch.cat([given.flatten(1, 2), fixed, step.flatten(1, 2)], 1)
        y = self.answers(seen, index, edge_attr).unflatten(1, given.shape[1:3])
        found: Tensor = given[:, :, -1:] + step + y
        return found
