"""Graphs of particle configurations: an edge for every ordered pair that is near in the periodic box.

Units: sigma.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from dtrain.data.pairs import minimum_image
from dtrain.data.tensors import Tensors
from runkit.arrays import Floats, Ints

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True)
class Graphs(Tensors):
    """A batch of graphs, one after another: particles [n, width], edges [2, n_edges] with vectors [n_edges, 3 or 6].

    Targets and masks of what is scored are those of particles [n] and of edges [n_edges]; `weight` [n_graphs] is that
    of each graph in the loss, `n_nodes` and `n_edges` hold the numbers of each graph.
    """

    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor
    node_target: Tensor
    edge_target: Tensor
    node_mask: Tensor
    edge_mask: Tensor
    weight: Tensor
    n_nodes: tuple[int, ...]
    n_edges: tuple[int, ...]

    @property
    def targets(self) -> tuple[Tensor, Tensor]:
        """Of particles [n] and of edges [n_edges]."""
        return self.node_target, self.edge_target

    @property
    def masks(self) -> tuple[Tensor, Tensor]:
        """What is scored of particles [n] and of edges [n_edges]."""
        return self.node_mask, self.edge_mask

    @property
    def terms(self) -> tuple[Tensor | tuple[Tensor, ...], ...]:
        """What regressions are made of, beside the inputs of a network: targets, masks, weights."""
        return self.targets, self.masks, self.weight

    @classmethod
    def join(cls, graphs: list[Self]) -> Self:
        """Some batches as one; a single one is not copied."""
        if len(graphs) == 1:
            return graphs[0]
        starts = np.cumsum([0] + [sum(part.n_nodes) for part in graphs]).tolist()
        moved = [replace(part, edge_index=part.edge_index + start) for part, start in zip(graphs, starts, strict=False)]
        columns = {name: [part.tensors()[name] for part in moved] for name in moved[0].tensors()}
        joined = {name: torch.cat(parts, dim=int(name == "edge_index")) for name, parts in columns.items()}
        n_nodes, n_edges = (sum((part.n_nodes for part in graphs), ()), sum((part.n_edges for part in graphs), ()))
        return cls(**joined, n_nodes=n_nodes, n_edges=n_edges)

    def turned(self, symmetry: Floats) -> Self:
        """All edge vectors turned by a symmetry of the cube [3, 3]; the rest is shared, nothing is changed.

        Components are exchanged and change their signs: exact in any precision of matrix products.
        """
        axes = np.abs(symmetry).argmax(axis=1).tolist()
        components = self.edge_attr.unflatten(1, (-1, 3)).unbind(2)
        signed = [components[axis] if symmetry[i, axis] > 0 else -components[axis] for i, axis in enumerate(axes)]
        return replace(self, edge_attr=torch.stack(signed, dim=2).flatten(1))


def graph(species: Ints, positions: list[Floats], box: Floats, pairs: Ints) -> Data:
    """The graph of one configuration, both directions of every pair, sorted by target, then source.

    `x` [n, 1] species; `edge_attr` [n_edges, 3 * len(positions)] the vectors from source to target, one per given set
    of positions; `pair` [n_edges] which row of `pairs` an edge comes from.
    """
    from torch_geometric.data import Data  # takes as long as torch, and flow needs none of it

    directed = np.concatenate([pairs, pairs[:, ::-1]])
    order = np.lexsort((directed[:, 0], directed[:, 1]))
    source, target = directed[order].T
    vectors = [minimum_image(position[target] - position[source], box) for position in positions]
    return Data(
        x=torch.tensor(species, dtype=torch.float32)[:, None],
        edge_index=torch.from_numpy(np.stack([source, target]).astype(np.int64)),
        edge_attr=torch.from_numpy(np.concatenate(vectors, axis=1).astype(np.float32)),
        pair=torch.from_numpy((order % len(pairs)).astype(np.int32)),
    )
