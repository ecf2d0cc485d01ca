"""BOTAN: a graph network that predicts the propensity of particles and the change of pair distances.

Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791; names of the parameters as in the
authors' published weights (https://github.com/h3-Open-BDEC/pyg_botan), which load as they are.

Both updates begin with a linear layer on concatenated inputs, W [a, b, …]. It is evaluated as W_a a + W_b b + …: what
belongs to particles is multiplied once per particle instead of once per edge, and what does not change between rounds
(the encoded inputs) is multiplied once per graph. Edges are sorted by target and updated a few at a time
(`dtrain.kernels.two_layers`); of each round the backward pass keeps the edges and nothing that is hidden. The function
is the same. An edge and its reverse share nothing: a vector and its negative give different answers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from dtrain.kernels.order import Order, ordered
from dtrain.kernels.two_layers import Layers, edge_layers, two_layers
from dtrain.models import model, require_whole

NEIGHBOURS = 40  # of a particle of the published liquid, about
AT_ONCE = 2**18  # rows that are decoded together where nothing is kept for gradients


class MLP(nn.Module):
    """Two linear layers, each followed by a ReLU."""

    def __init__(self, n_inputs: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(n_inputs, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return two_layers(x, self.fc1.bias, self.layers(self.fc1.weight))

    def layers(self, weight: Tensor) -> Layers:
        """Both layers, with `weight` of the first, or of a part of its inputs."""
        return Layers(weight, self.fc2.weight, self.fc2.bias)

    def after_first(self, hidden: Tensor) -> Tensor:
        """The rest, given the output of the first linear layer, which is overwritten."""
        found: Tensor = self.fc2(hidden.relu_()).relu_()
        return found


class EdgeEncoder(MLP):
    """The MLP whose first layer sees all digits of edge vectors, also where a GPU multiplies matrices with fewer."""

    def forward(self, x: Tensor) -> Tensor:
        return self.after_first(by_columns(x, self.fc1)) if x.is_cuda else super().forward(x)


def by_columns(x: Tensor, layer: nn.Linear) -> Tensor:
    """A linear layer of few inputs without a product of matrices, which TF32 would round to 10 bits."""
    result: Tensor = layer.bias
    for column, weights in zip(x.unbind(1), layer.weight.unbind(1), strict=True):
        result = torch.addcmul(result, column.unsqueeze(1), weights)
    return result


class Decoder(MLP):
    """The MLP and a linear layer to one number: [n, width] -> [n]."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or len(x) <= AT_ONCE:
            return self._decoded(x)
        return torch.cat([self._decoded(some) for some in x.split(AT_ONCE)])

    def _decoded(self, x: Tensor) -> Tensor:
        found: Tensor = self.fc3(super().forward(x)).squeeze(-1)
        return found


class EdgeModel(nn.Module):
    """edge <- MLP [x_source, x_target, edge, encoded edge]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = MLP(4 * width, width)

    def constant(self, encoded: Tensor) -> Tensor:
        """The part of the first layer that is the same in all rounds [n_edges, width]."""
        return linear(encoded, self.mlp.fc1.weight.chunk(4, dim=1)[3], self.mlp.fc1.bias)

    def forward(self, x: Tensor, order: Order, edge: Tensor, constant: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Edges, their sums at the particles that they point to, and the constant for the next round."""
        of_source, of_target, of_edge, _ = self.mlp.fc1.weight.chunk(4, dim=1)
        of_ends = linear(x, of_source), linear(x, of_target)
        return edge_layers(edge, constant, of_ends, order, self.mlp.layers(of_edge))


class NodeModel(nn.Module):
    """x <- MLP [x, encoded x, sum of the edges that point to it]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = MLP(3 * width, width)

    def constant(self, encoded: Tensor) -> Tensor:
        """The part of the first layer that is the same in all rounds [n_nodes, width]."""
        return linear(encoded, self.mlp.fc1.weight.chunk(3, dim=1)[1], self.mlp.fc1.bias)

    def forward(self, x: Tensor, arriving: Tensor, constant: Tensor) -> Tensor:
        of_node, _, of_sum = self.mlp.fc1.weight.chunk(3, dim=1)
        return self.mlp.after_first(linear(x, of_node) + linear(arriving, of_sum) + constant)


class Network(nn.Module):
    """One round: the edges are updated, then the particles."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.edge_model = EdgeModel(width)
        self.node_model = NodeModel(width)

    def forward(
        self, x: Tensor, order: Order, edge: Tensor, constants: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        of_node, of_edge = constants
        edge, arriving, of_edge = self.edge_model(x, order, edge, of_edge)
        return self.node_model(x, arriving, of_node), edge, (of_node, of_edge)

    def sum_as_mean(self, neighbours: float) -> None:
        """Let a sum over neighbours, so many of them, start as a mean, or it would grow from round to round."""
        with torch.no_grad():
            self.node_model.mlp.fc1.weight.chunk(3, dim=1)[2].div_(neighbours)

    def rounds(self, n_rounds: int, x: Tensor, order: Order, edge: Tensor) -> tuple[Tensor, Tensor]:
        """Particles and edges after some rounds, from their encodings."""
        constants = self.node_model.constant(x), self.edge_model.constant(edge)
        for _ in range(n_rounds):
            x, edge, constants = self(x, order, edge, constants)
        return x, edge


def draw_weights(whole: nn.Module) -> None:
    """Weights of all linear layers for ReLU (K. He et al., arXiv 1502.01852), under which signals keep their size.

    Training leaves its first plateau sooner than from torch's default.
    """
    for layer in whole.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


@model("botan")
class Botan(nn.Module):
    """The published network: 7 rounds that share their weights, one decoder for both; 54,209 parameters."""

    dynamic = True  # every graph has its own number of edges: compiled once for all

    def __init__(self, node_width: int = 1, edge_width: int = 3, width: int = 64, rounds: int = 7) -> None:
        super().__init__()
        require_whole(node_width=node_width, edge_width=edge_width, width=width, rounds=rounds)
        self.rounds = rounds
        self.node_encoder = MLP(node_width, width)
        self.edge_encoder = EdgeEncoder(edge_width, width)
        self.network = Network(width)
        self.decoder = Decoder(width)
        draw_weights(self)
        self.network.sum_as_mean(NEIGHBOURS)
        with torch.no_grad():
            self.decoder.fc3.weight.mul_(0.3)  # predictions start near the mean of the targets

    @property
    def reach(self) -> int:
        """Edges that a particle's answer looks away; an edge's looks one less from either end."""
        return self.rounds

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        """Particles [n_nodes, node_width], edges [2, n_edges] with [n_edges, edge_width] -> [n_nodes], [n_edges]."""
        places, order = ordered(edge_index, len(x))
        # Half precision would cut the digits of the edge vectors before the first layer sees them.
        with torch.autocast(x.device.type, enabled=False):
            x, edge = self.node_encoder(x), self.edge_encoder(edge_attr.index_select(0, places))
        x, edge = self.network.rounds(self.rounds, x, order, edge)
        of_edges = self.decoder(edge).float()
        return self.decoder(x).float(), of_edges.new_empty(len(places)).index_copy(0, places, of_edges)
