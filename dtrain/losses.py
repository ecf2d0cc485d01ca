"""Losses: what a network minimises, per sample, so that a mean over samples does not depend on how they are batched."""

from __future__ import annotations

from torch import Tensor
from torch_geometric.utils import scatter


def node_edge(
    output: tuple[Tensor, Tensor],
    target: tuple[Tensor, Tensor],
    graph_of: tuple[Tensor, Tensor],
    n_graphs: int,
    p: float,
) -> dict[str, Tensor]:
    """p * MSE(nodes) + (1 - p) * MSE(edges), for each graph of a batch [n_graphs].

    `graph_of` holds the graph that each node and each edge belongs to.
    Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791.
    """
    node, edge = (
        scatter((predicted - wanted).square(), of, dim=0, dim_size=n_graphs, reduce="mean")
        for predicted, wanted, of in zip(output, target, graph_of, strict=True)
    )
    return {"loss": p * node + (1 - p) * edge, "node_loss": node, "edge_loss": edge}
