"""Losses: what a network minimises, per sample, so that a mean over samples does not depend on how they are batched."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def node_edge(
    output: tuple[Tensor, ...],
    target: tuple[Tensor, Tensor],
    counts: tuple[Sequence[int], Sequence[int]],
    p: float,
    weight: Tensor,
) -> dict[str, Tensor]:
    """p * MSE(nodes) + (1 - p) * MSE(edges), times `weight`, for each graph of a batch [n_graphs].

    `counts` holds the numbers of nodes and of edges of each graph, which follow each other.
    Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791.
    """
    node, edge = (
        torch.stack([error.square().mean() for error in torch.split(predicted - wanted, list(of_each))])
        for predicted, wanted, of_each in zip(output, target, counts, strict=True)
    )
    return {"loss": weight * (p * node + (1 - p) * edge), "node_loss": node, "edge_loss": edge}


def field_and_gradient(output: Tensor, target: Tensor, fluid: Tensor, weight: float) -> dict[str, Tensor]:
    """MSE(values) + weight * MSE(spatial gradients), for each clip [n] of fields [n, channel, t, x, y].

    Only cells with fluid count, a mask [n, 1, 1, x, y] of 1 and 0; gradients are differences between such neighbours.
    Source: the report of JHPCN project jh220052 (2022), section 5.2.
    """
    error = output - target
    along_x = (error[..., 1:, :] - error[..., :-1, :]).square(), fluid[..., 1:, :] * fluid[..., :-1, :]
    along_y = (error[..., 1:] - error[..., :-1]).square(), fluid[..., 1:] * fluid[..., :-1]
    value = masked_mean(error.square(), fluid)
    gradient = masked_mean(*along_x) + masked_mean(*along_y)
    return {"loss": value + weight * gradient, "value_loss": value, "gradient_loss": gradient}


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean [n] over the places of [n, ...] where a mask that broadcasts is 1."""
    axes = tuple(range(1, values.dim()))
    return (values * mask).sum(axes) / mask.expand_as(values).sum(axes)
