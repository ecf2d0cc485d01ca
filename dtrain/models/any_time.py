"""A model that answers at many times and temperatures at once: a linear one for each knot, where it has learnt.

What lies between knots the caller interpolates (`dtrain.data.knots`). Answers for particles and pairs are in units
of the level of a configuration, mean and spread by kind of item, which is an answer too: linear in the last descriptor,
the inherent energy per particle, in which configurations and temperatures differ. All are solutions of regressions
(`dtrain.least_squares`).

Units: none; levels have those of the labels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dtrain.models import model, require_whole
from dtrain.models.linear import Linear, Regression, Seen, n_kinds

LEVEL = "level"


@model("any-time")
class AnyTime(nn.Module):
    """A linear model of descriptors for every knot."""

    level_slope: Tensor
    level_offset: Tensor

    def __init__(
        self, node_width: int = 3, edge_width: int = 6, n_species: int = 2, n_leading: int = 1, n_knots: int = 1
    ) -> None:
        super().__init__()
        require_whole(n_knots=n_knots)
        self.n_species, self.n_knots = n_species, n_knots
        self.linear = nn.ModuleList(Linear(node_width, edge_width, n_species, n_leading) for _ in range(n_knots))
        n_levels = n_species + n_kinds(n_species), n_knots, 2
        self.register_buffer("level_slope", torch.zeros(n_levels))
        self.register_buffer("level_offset", torch.zeros(n_levels))

    @property
    def reach(self) -> int:
        """As far as a linear model looks."""
        return 1

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Particles [n_nodes, node_width], edges [2, n_edges] with [n_edges, 6] -> [n_nodes, n_knots], [n_edges,
        n_knots], and the terms of their levels [n_nodes, 2, n_knots], [n_edges, 2, n_knots] (`dtrain.data.levels`).
        """
        seen = Seen.of(x, edge_index, edge_attr, self.n_species)
        answers = [self._linear(k).answers(seen) for k in range(self.n_knots)]
        node, edge = (torch.stack(of_kind, dim=1) for of_kind in zip(*answers, strict=True))
        of_pairs = self._level(self.n_species + seen.kind, seen.own[:, -1])
        return node, edge, self._level(seen.species, seen.values[:, -1]), of_pairs

    def regressions(
        self,
        inputs: tuple[Tensor, ...],
        targets: tuple[Tensor, ...],
        masks: tuple[Tensor, ...],
        weight: Tensor,
        level: Tensor,
    ) -> Iterator[tuple[str, Regression]]:
        """The name and the items of each regression: at each labelled knot those of a linear model, and its levels."""
        energy, known = inputs[0][:1, -1:], torch.nonzero(weight[0, :, 0]).flatten().tolist()
        # Features are the same at all times: they are made once.
        for name, all_times in self._linear(0).regressions(inputs, targets, masks, weight[:, 0]):
            for k in known:
                of_kind = weight[0, k, 0 if name.startswith("node") else 1]
                yield f"{k}.{name}", all_times._replace(target=all_times.target[:, k], weight=of_kind.item())
        for k in known:
            for kind, place in torch.nonzero(level[0, :, k].isfinite()).tolist():
                one = Regression(energy, level[0, kind, k, place].view(1), torch.ones(1, dtype=torch.bool), 0, 1.0)
                yield f"{k}.{LEVEL}.{kind}.{place}", one

    @torch.no_grad()
    def set_weights(self, name: str, weights: Tensor, offset: float) -> None:
        """The solution of a regression."""
        k, _, rest = name.partition(".")
        if rest.startswith(LEVEL):
            _, kind, place = rest.split(".")
            self.level_slope[int(kind), int(k), int(place)] = weights[0]
            self.level_offset[int(kind), int(k), int(place)] = offset
        else:
            self._linear(int(k)).set_weights(rest, weights, offset)

    def _linear(self, k: int) -> Linear:
        found = self.linear[k]
        assert isinstance(found, Linear)
        return found

    def _level(self, kind: Tensor, energy: Tensor) -> Tensor:
        """Of items of a kind [n] in configurations of an energy [n]."""
        found = self.level_offset[kind] + self.level_slope[kind] * energy[:, None, None]
        return found.transpose(1, 2)
