"""The edges of a graph in an order in which sums over them need neither locks nor luck.

Sorted by target, the edges that point to a particle lie together; a second order does the same for sources. Sums over
such segments have one order, also on a GPU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Order(NamedTuple):
    """Edges sorted by target: `source` and `target` [n_edges], int64.

    `starts` [n_nodes + 1] is where the edges of a target start; `by_source` [n_edges] sorts edges by source, where
    those of a source start at `source_starts` [n_nodes + 1].
    """

    source: Tensor
    target: Tensor
    starts: Tensor
    by_source: Tensor
    source_starts: Tensor

    def at_target(self, values: Tensor) -> Tensor:
        """Sums of values [n_edges, width] over the edges of each target [n_nodes, width], at least in float32."""
        return _sums(values, self.starts)

    def at_source(self, values: Tensor) -> Tensor:
        """The same over the edges of each source."""
        return _sums(values.index_select(0, self.by_source), self.source_starts)


def ordered(edge_index: Tensor, n_nodes: int) -> tuple[Tensor, Order]:
    """The places of edges [2, n_edges] sorted by target, and their order then; edges of a target stay as they come."""
    places = torch.argsort(edge_index[1], stable=True)
    source, target = edge_index.index_select(1, places)
    by_source = torch.argsort(source, stable=True)
    nodes = torch.arange(n_nodes + 1, device=source.device)
    starts, source_starts = (torch.searchsorted(ends, nodes) for ends in (target, source.index_select(0, by_source)))
    return places, Order(source, target, starts, by_source, source_starts)


def _sums(values: Tensor, starts: Tensor) -> Tensor:
    at_least_single = values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
    return torch.segment_reduce(at_least_single, "sum", offsets=starts, axis=0, unsafe=True)
