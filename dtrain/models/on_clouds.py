"""What networks of flow on clouds share: encoders of nodes and edges, the processor of `botan.py`, and a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dtrain.kernels.order import ordered
from dtrain.models.botan import MLP, EdgeEncoder, Network, draw_weights


class OnClouds(nn.Module):
    """Base of a network; its layers lie in the network itself, so that their weights have names without a prefix."""

    dynamic = True  # every cloud has its own number of edges

    def add_layers(
        self, n_seen: int, n_answers: int, edge_width: int, width: int, rounds: int, neighbours: float
    ) -> None:
        """Layers for nodes with `n_seen` numbers and about so many neighbours; their answers start near zero."""
        self.rounds = rounds
        self.node_encoder = MLP(n_seen, width)
        self.edge_encoder = EdgeEncoder(edge_width, width)
        self.network = Network(width)
        last = nn.Linear(width, n_answers)
        self.decoder = nn.Sequential(MLP(width, width), last)
        for part in (self.node_encoder, self.edge_encoder, self.network, self.decoder):
            draw_weights(part)
        self.network.sum_as_mean(neighbours)
        with torch.no_grad():
            last.weight.mul_(0.1)

    def answers(self, seen: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Nodes [n, n_seen, k] of n clouds -> [n, n_answers, k]; `edge_index` counts the nodes of all clouds on."""
        n, _, k = seen.shape
        x = seen.transpose(1, 2).reshape(n * k, -1)
        places, order = ordered(edge_index, len(x))
        with torch.autocast(x.device.type, enabled=False):  # half precision would cut the digits of edges
            x, edge = self.node_encoder(x), self.edge_encoder(edge_attr.index_select(0, places))
        x, _ = self.network.rounds(self.rounds, x, order, edge)
        found: Tensor = self.decoder(x).float().reshape(n, k, -1).transpose(1, 2)
        return found
