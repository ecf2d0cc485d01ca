"""A U-Net on the grid and, at points near bodies, a graph network that refines what it says.

On the grid the answer is that of `flow_unet.py`, which may have been trained before and stay as it is (`model.start`,
`model.frozen`). Points start from their own last frame and what the U-Net adds in the cell in which they lie, and see
how far they are from that cell; the processor of `botan.py`, on the graph of points alone, adds what the grid does not
resolve. So messages need not cross the domain, and the graph has hundreds of nodes instead of thousands.
Source: as of `flow_unet.py` and `botan.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dtrain.models import model, require_whole
from dtrain.models.mirrors import NO_PLANES
from dtrain.models.on_clouds import OnClouds
from runkit.errors import UserError

NEIGHBOURS = 8  # of a point, about


@model("flow-near")
class FlowNear(OnClouds):
    """Frames [n, outputs, t, k] of the nodes of n clouds -> the next t frames; t is always `frames`.

    Of the `inputs` of a node those after the first `outputs` do not change in time; cells show the U-Net the first
    `grid_inputs` of them. `points` nodes come first, then the cells of a `grid`, row by row; what comes after them gets
    zeros. `edge_width` are the numbers that an edge carries, `width` and `rounds` those of the processor. `unet` has
    the parameters of the U-Net, which takes `spreads`, `periodic` and `planes` as they are.
    """

    def __init__(
        self,
        inputs: int = 4,
        outputs: int = 3,
        frames: int = 3,
        edge_width: int = 5,
        points: int = 1,
        grid: Sequence[int] = (64, 64),
        grid_inputs: int = 4,
        width: int = 32,
        rounds: int = 4,
        unet: Mapping[str, Any] = {},
        spreads: Sequence[float] = (1.0, 1.0),
        periodic: Sequence[int] = (0, 0),
        planes: Sequence[Sequence[bool]] = NO_PLANES,
    ) -> None:
        super().__init__()
        require_whole(edge_width=edge_width, points=points, width=width, rounds=rounds)
        self.points, self.shape, self.n_shown = points, (grid[0], grid[1]), grid_inputs - outputs
        sizes = {"inputs": grid_inputs, "outputs": outputs, "frames": frames}
        faces = {"spreads": spreads, "periodic": periodic, "planes": planes}
        if of_data := sorted({*sizes, *faces} & {*unet}):
            raise UserError(f"unet: {of_data[0]} comes from the data; leave it away")
        self.of_grid = model.build("flow-unet", **unet, **sizes, **faces)
        n_seen, n_answers = (2 * frames + 1) * outputs + inputs - outputs, outputs * frames
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
        cells, where = slice(p, p + nx * ny), cell[:, None, None, :p].expand(-1, given.shape[1], given.shape[2], -1)
        on_grid = self._on_grid(given[..., cells], fixed[:, : self.n_shown, cells])
        last = given[:, :, -1:, cells]
        step, here = (on_grid - last).gather(3, where), last.gather(3, where[:, :, :1])
        index = edge_index // k * p + edge_index % k  # of the points alone
        at_points = self._refined(given[..., :p], fixed[..., :p], (step, here), index, edge_attr)
        return (torch.cat([at_points, on_grid, torch.zeros_like(given[..., p + nx * ny :])], 3),)

    def _on_grid(self, given: Tensor, fixed: Tensor) -> Tensor:
        """The U-Net's answer [n, outputs, t, cell]; a frozen one has no gradients, so nothing is kept for them."""
        learns = any(parameter.requires_grad for parameter in self.of_grid.parameters())
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            seen = torch.cat([given, fixed[:, :, None].expand(-1, -1, given.shape[2], -1)], 1)
            found: Tensor = self.of_grid(seen.unflatten(-1, self.shape))[0].flatten(3)
        return found

    def _refined(
        self, given: Tensor, fixed: Tensor, on_grid: tuple[Tensor, Tensor], index: Tensor, edge_attr: Tensor
    ) -> Tensor:
        """Frames at points [n, outputs, t, points], from theirs and from the U-Net's in the cell of each.

        `on_grid` is what the U-Net adds there, and what was there in the last frame.
        """
        step, here = on_grid
        seen = [given.flatten(1, 2), fixed, step.flatten(1, 2), (here - given[:, :, -1:]).flatten(1, 2)]
        y = self.answers(torch.cat(seen, 1), index, edge_attr).unflatten(1, given.shape[1:3])
        found: Tensor = given[:, :, -1:] + step + y
        return found
