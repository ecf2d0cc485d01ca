"""BOTAN for flow: the graph network of particles on a cloud of points that is fine near bodies.

Nodes carry the frames that are given and what does not change; the processor is that of `botan.py`, rounds that share
their weights; a decoder gives the next frames of every node. Source: H. Shiba et al., J. Chem. Phys. 158, 084503
(2023), doi:10.1063/5.0129791 (the processor); T. Pfaff et al., arXiv:2010.03409 (graph networks on meshes of fluids).
"""

from __future__ import annotations

import torch
from torch import Tensor

from dtrain.models import model, require_switch, require_whole
from dtrain.models.on_clouds import OnClouds
from runkit.errors import UserError

NEIGHBOURS = 9  # of a node, about: eight of its level, and the cell or block that it lies in


@model("botan-flow")
class BotanFlow(OnClouds):
    """Frames [n, outputs, t, k] of the nodes of n clouds -> the next t frames; t is always `frames`.

    Of the `inputs` of a node those after the first `outputs` do not change in time. `edge_width` are the numbers that
    an edge carries. With `increments` the network adds to the last frame it was given.
    """

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
        self.frames, self.increments = frames, increments
        n_seen, n_answers = outputs * frames + inputs - outputs, outputs * frames
        self.add_layers(n_seen, n_answers, edge_width, width, rounds, NEIGHBOURS)

    def forward(
        self, given: Tensor, fixed: Tensor, cell: Tensor, edge_index: Tensor, edge_attr: Tensor
    ) -> tuple[Tensor]:
        """`fixed` [n, inputs - outputs, k]; `edge_index` [2, n_edges] counts the nodes of all clouds on.

        `cell`, in which cell of the grid each node lies, is given by edges here.
        """
        _, outputs, t, _ = given.shape
        if t != self.frames:
            raise UserError(f"{t} frames were given to a network of {self.frames}; data.frames says how many")
        y = self.answers(torch.cat([given.flatten(1, 2), fixed], 1), edge_index, edge_attr).unflatten(1, (outputs, t))
        return (given[:, :, -1:] + y if self.increments else y,)
