"""BOTAN for flow: the graph network of particles on a cloud of points that is fine near bodies.

Nodes carry the frames that are given and what does not change; the processor is that of `botan.py`, rounds that share
their weights; a decoder gives the next frames of every node. Source: H. Shiba et al., J. Chem. Phys. 158, 084503
(2023), doi:10.1063/5.0129791 (the processor); T. Pfaff et al., arXiv:2010.03409 (graph networks on meshes of fluids).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dtrain.kernels.order import ordered
from dtrain.models import model, require_switch, require_whole
from dtrain.models.botan import MLP, EdgeEncoder, Network, draw_weights
from runkit.errors import UserError

NEIGHBOURS = 9  # of a node, about: eight of its level, and the cell or block that it lies in


@model("botan-flow")
class BotanFlow(nn.Module):
    """Frames [n, outputs, t, k] of the nodes of n clouds -> the next t frames; t is always `frames`.

    Of the `inputs` of a node those after the first `outputs` do not change in time. `edge_width` are the numbers that
    an edge carries. With `increments` the network adds to the last frame it was given.
    """

    dynamic = True  # every cloud has its own number of edges

    def __init__(
        self,
        inputs: int = 4,
        outputs: int = 3,
        frames: int = 3,
        edge_width: int = 5,
        width: int = 64,
        rounds: int = 7,
        increments: bool = True,
    ) -> None:
        super().__init__()
        require_whole(inputs=inputs, outputs=outputs, frames=frames, edge_width=edge_width, width=width, rounds=rounds)
        require_switch(increments=increments)
        self.frames, self.rounds, self.increments = frames, rounds, increments
        self.node_encoder = MLP(outputs * frames + inputs - outputs, width)
        self.edge_encoder = EdgeEncoder(edge_width, width)
        self.network = Network(width)
        last = nn.Linear(width, outputs * frames)
        self.decoder = nn.Sequential(MLP(width, width), last)
        draw_weights(self)
        self.network.sum_as_mean(NEIGHBOURS)
        with torch.no_grad():
            last.weight.mul_(0.1)  # predictions start near the mean, or near the last frame

    def forward(
        self, given: Tensor, fixed: Tensor, cell: Tensor, edge_index: Tensor, edge_attr: Tensor
    ) -> tuple[Tensor]:
        """`fixed` [n, inputs - outputs, k]; `edge_index` [2, n_edges] counts the nodes of all clouds on.

        `cell`, in which cell of the grid each node lies, is told by edges here.
        """
        n, outputs, t, k = given.shape
        if t != self.frames:
            raise UserError(f"{t} frames were given to a network of {self.frames}; data.frames says how many")
        x = torch.cat([given.flatten(1, 2), fixed], 1).transpose(1, 2).reshape(n * k, -1)
        places, order = ordered(edge_index, len(x))
        with torch.autocast(x.device.type, enabled=False):  # half precision would cut the digits of edges
            x, edge = self.node_encoder(x), self.edge_encoder(edge_attr.index_select(0, places))
        x, _ = self.network.rounds(self.rounds, x, order, edge)
        y = self.decoder(x).float().reshape(n, k, outputs, t).permute(0, 2, 3, 1)
        return (given[:, :, -1:] + y if self.increments else y,)
