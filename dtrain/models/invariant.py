"""Message passing whose answers do not change when a configuration is turned or reflected.

Particles carry numbers, vectors and traceless symmetric tensors of rank two (spherical harmonics of l = 0, 1, 2). A
message along a pair is made of the numbers of its source, filtered by distance, and of its vectors and tensors as they
lie along the pair; vectors and tensors themselves come from directions of pairs. Numbers see them by products that no
turn changes. Pairs are those near in the inherent structure, whose directions have no thermal noise.

Source: vectors and filters as in K. T. Schütt, O. T. Unke and M. Gastegger, arXiv:2102.03150 (PaiNN); tensors and their
invariants as in EIGNN, whose results are in `dtrain/glass/published.csv`.
Units: lengths in sigma.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REACH = 1.6  # of messages, in the inherent structure
NEAREST = 0.8
N_FILTERS = 8
NEIGHBOURS = 5.0  # sums over neighbours are divided by this


class Invariant(nn.Module):
    """Rounds of messages: numbers of particles [n_nodes, n_inputs] -> [n_nodes, width * (rounds + 1)]."""

    def __init__(self, n_inputs: int, width: int, rounds: int, n_tensors: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_inputs, width), nn.SiLU(), nn.Linear(width, width))
        self.rounds = nn.ModuleList(Round(width, n_tensors) for _ in range(rounds))
        self.n_tensors, self.n_outputs = n_tensors, width * (rounds + 1)

    def forward(self, values: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        """Edges [2, n_edges] with their vectors in the liquid and in the inherent structure [n_edges, 6]."""
        near = torch.nonzero(edge_attr[:, 3:].norm(dim=1) < REACH)[:, 0]
        pairs = Pairs(edge_index[:, near], edge_attr[near])
        x, n_nodes = self.encoder(values), len(values)
        vectors = pairs.summed(pairs.step[:, :, None].expand(-1, -1, self.n_tensors), n_nodes)
        tensors, layers = values.new_zeros(n_nodes, 5, self.n_tensors), [x]
        for one in self.rounds:
            x, vectors, tensors = one(x, vectors, tensors, pairs)
            layers.append(x)
        return torch.cat(layers, dim=1)


class Pairs:
    """What is the same in all rounds: filters [n, N_FILTERS] of the distances of pairs, their directions.

    `step` is the relative step of a pair from the liquid to the inherent structure [n, 3].
    """

    def __init__(self, edge_index: Tensor, edge_attr: Tensor) -> None:
        self.source, self.target = edge_index
        vector = edge_attr[:, 3:]
        distance = vector.norm(dim=1, keepdim=True)
        self.direction = vector / distance
        self.tensor = traceless(self.direction)
        self.step = vector - edge_attr[:, :3]
        self.filters = filters(distance)

    def spread(self, axes: Tensor, values: Tensor, n_nodes: int) -> Tensor:
        """Sums of axes [n, m] times numbers of pairs [n, c] at their targets [n_nodes, m, c]."""
        return self.summed(axes[:, :, None] * values[:, None], n_nodes)

    def summed(self, values: Tensor, n_nodes: int) -> Tensor:
        """Sums over pairs [n, ...] at their targets [n_nodes, ...]."""
        found = values.new_zeros(n_nodes, *values.shape[1:])
        return found.index_add(0, self.target, values) / NEIGHBOURS


class Round(nn.Module):
    """One round: messages, then numbers, vectors and tensors of all particles."""

    def __init__(self, width: int, n_tensors: int) -> None:
        super().__init__()
        self.sizes = width, n_tensors, n_tensors
        self.norm = nn.LayerNorm(width)
        self.message = nn.Linear(width, sum(self.sizes))
        self.filter = nn.Linear(N_FILTERS, sum(self.sizes), bias=False)
        self.along_vector = nn.Linear(n_tensors, width, bias=False)
        self.along_tensor = nn.Linear(n_tensors, width, bias=False)
        self.vectors = nn.ModuleList(nn.Linear(2 * n_tensors, n_tensors, bias=False) for _ in range(2))
        self.tensors = nn.ModuleList(nn.Linear(2 * n_tensors, n_tensors, bias=False) for _ in range(2))
        inner = 2 * width + 2 * n_tensors
        self.update = nn.Sequential(nn.Linear(inner, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Tensor, vectors: Tensor, tensors: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """[n_nodes, width], [n_nodes, 3, n_tensors], [n_nodes, 5, n_tensors] -> the same."""
        n_nodes, source, normed = len(x), pairs.source, self.norm(x)
        filtered = self.message(normed).index_select(0, source) * self.filter(pairs.filters)
        plain, to_vector, to_tensor = filtered.split(self.sizes, dim=1)
        of_vectors = (vectors.index_select(0, source) * pairs.direction[:, :, None]).sum(dim=1)
        of_tensors = (tensors.index_select(0, source) * pairs.tensor[:, :, None]).sum(dim=1)
        arriving = plain * (1 + self.along_vector(of_vectors) + self.along_tensor(of_tensors))
        seen = pairs.summed(arriving, n_nodes)
        vectors, of_vectors = _mixed(vectors, pairs.spread(pairs.direction, to_vector, n_nodes), self.vectors)
        tensors, of_tensors = _mixed(tensors, pairs.spread(pairs.tensor, to_tensor, n_nodes), self.tensors)
        return x + self.update(torch.cat([normed, seen, of_vectors, of_tensors], dim=1)), vectors, tensors


def _mixed(own: Tensor, arriving: Tensor, layers: nn.ModuleList) -> tuple[Tensor, Tensor]:
    """Vectors or tensors mixed with what arrives [n, m, c]; products of two mixtures, which no turn changes [n, c]."""
    both = torch.cat([own, arriving], dim=2)
    first, second = (layer(both) for layer in layers)
    return first, (first * second).sum(dim=1)


def filters(distance: Tensor) -> Tensor:
    """Bumps over distances [n, 1] that vanish smoothly at `REACH` [n, N_FILTERS]."""
    places = torch.linspace(NEAREST, REACH, N_FILTERS, device=distance.device, dtype=distance.dtype)
    spacing = (REACH - NEAREST) / (N_FILTERS - 1)
    return torch.exp(-(((distance - places) / spacing) ** 2)) * 0.5 * (1 + torch.cos(torch.pi * distance / REACH))


def traceless(direction: Tensor) -> Tensor:
    """The five components of the tensor u u - 1/3 of unit vectors u [n, 3], in a basis where lengths stay lengths."""
    x, y, z = direction.unbind(1)
    rest = (x * x - y * y) / 2**0.5, (3 * z * z - 1) / 6**0.5
    return torch.stack([*rest, 2**0.5 * x * y, 2**0.5 * x * z, 2**0.5 * y * z], dim=1)
