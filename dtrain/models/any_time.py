"""A network that answers at many times and temperatures at once: for each knot, where it has learnt, one answer.

What lies between knots is interpolated by who asks (`dtrain.data.knots`). An answer is the mean of two: that of a
linear model of descriptors for the knot, and that of message passing (`invariant`), which all knots share. Each has
learnt the whole target, so that what is wrong with one is little like what is wrong with the other.

Answers for particles and pairs are in units of the level of a configuration, mean and spread by kind of item, which is
an answer too: linear in the last descriptor, the inherent energy per particle, in which configurations and temperatures
differ. Levels and linear models are solutions of regressions (`dtrain.least_squares`), made before the first step.

Units: none; levels have those of the labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from dtrain.models import MOST, model, require_whole
from dtrain.models.invariant import Invariant
from dtrain.models.linear import RADII, Linear, Regression, n_kinds, pair_kinds

LEVEL = "level"
LARGEST = 6.0  # of a descriptor that messages begin with, in units of its spread
N_PAIR = 2 * len(RADII) + 2  # values of a pair


@model("any-time")
class AnyTime(nn.Module):
    """Linear models and message passing of some `rounds` (0: none), whose weight in the mean of both is `share`.

    `own` are the descriptors that messages begin with, and the factors that give them a spread of 1.
    """

    level_slope: Tensor
    level_offset: Tensor
    factors: Tensor

    def __init__(
        self,
        node_width: int = 3,
        edge_width: int = 6,
        n_species: int = 2,
        n_leading: int = 1,
        n_knots: int = 1,
        own: Sequence[tuple[int, float]] = ((0, 1.0),),
        width: int = 32,
        rounds: int = 0,
        share: float = 0.5,
    ) -> None:
        super().__init__()
        require_whole(n_knots=n_knots, width=width)
        if type(rounds) is not int or not 0 <= rounds <= MOST:
            raise ValueError(f"rounds = {rounds!r} is not allowed; allowed: a whole number from 0 to {MOST}")
        if not 0 <= share <= 1:
            raise ValueError(f"share = {share!r} is not allowed; allowed: 0 to 1")
        self.n_species, self.n_knots = n_species, n_knots
        self.linear = nn.ModuleList(Linear(node_width, edge_width, n_species, n_leading) for _ in range(n_knots))
        self.rounds, self.share = rounds, share
        if rounds:
            columns, factors = zip(*own, strict=True)
            self.own = [1 + column for column in columns]  # the species comes first
            self.register_buffer("factors", torch.tensor(factors), persistent=False)
            self.messages = Invariant(1 + len(own), width, rounds)
            self.node = nn.Sequential(nn.SiLU(), nn.Linear(self.messages.n_outputs, n_species * n_knots))
            self.ends = nn.Linear(self.messages.n_outputs, width)
            self.pair = nn.Linear(N_PAIR + n_kinds(n_species), width)
            self.edge = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, n_knots))
        n_levels = n_species + n_kinds(n_species), n_knots, 2
        self.register_buffer("level_slope", torch.zeros(n_levels))
        self.register_buffer("level_offset", torch.zeros(n_levels))

    @property
    def reach(self) -> int:
        """As far as a linear model looks, or messages and the pairs at their end."""
        return self.rounds + 2 if self.rounds else 1

    @property
    def is_trained(self) -> bool:
        """Whether there is something to learn beside what is solved."""
        return self.rounds > 0

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Particles [n_nodes, node_width], edges [2, n_edges] with [n_edges, 6] -> [n_nodes, n_knots], [n_edges,
        n_knots], and the terms of their levels [n_nodes, 2, n_knots], [n_edges, 2, n_knots] (`dtrain.data.levels`).
        """
        species, source = x[:, 0].long(), edge_index[0]
        kind = pair_kinds(species, edge_index, edge_attr, self.n_species)
        node, edge = self._messages(x, edge_index, edge_attr, kind) if self.rounds else (None, None)
        # In training message passing answers alone: it learns the whole target.
        if node is None or edge is None or not self.training:
            answers = zip(*(one(x, edge_index, edge_attr) for one in self.linear), strict=True)
            of_nodes, of_edges = (torch.stack(of_kind, dim=1) for of_kind in answers)
            node = of_nodes if node is None else torch.lerp(of_nodes, node, self.share)
            edge = of_edges if edge is None else torch.lerp(of_edges, edge, self.share)
        return node, edge, self._level(species, x[:, -1]), self._level(self.n_species + kind, x[source, -1])

    def _messages(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        """Answers of message passing for particles [n_nodes, n_knots] and edges [n_edges, n_knots]."""
        own = (x[:, self.own] * self.factors).clamp(-LARGEST, LARGEST)
        seen = self.messages(torch.cat([x[:, :1], own], dim=1), edge_index, edge_attr)
        by_species = self.node(seen).unflatten(1, (self.n_species, self.n_knots))
        node = by_species.take_along_dim(x[:, 0].long()[:, None, None], dim=1)[:, 0]
        ends, kinds = self.ends(seen), one_hot(kind, n_kinds(self.n_species)).to(x.dtype)
        both = ends.index_select(0, edge_index[0]) + ends.index_select(0, edge_index[1])
        edge: Tensor = self.edge(both + self.pair(torch.cat([pair_values(edge_attr), kinds], dim=1)))
        return node, edge

    def regressions(
        self,
        inputs: tuple[Tensor, ...],
        targets: tuple[Tensor, ...],
        masks: tuple[Tensor, ...],
        weight: Tensor,
        level: Tensor,
    ) -> Iterator[tuple[str, Regression]]:
        """The name and the items of each regression: at each labelled knot those of a linear model, and its levels."""
        energy = inputs[0][:1, -1:]
        for k in torch.nonzero(weight[0, :, 0]).flatten().tolist():
            of_knot = targets[0][:, k], targets[1][:, k]
            for name, one in self._linear(k).regressions(inputs, of_knot, masks, weight[:, k]):
                yield f"{k}.{name}", one
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


def pair_values(edge_attr: Tensor) -> Tensor:
    """Invariants [n, N_PAIR] of pairs [n, 6], of order one: bumps over both distances, the relative step."""
    thermal, inherent = edge_attr[:, :3], edge_attr[:, 3:]
    r, s = thermal.norm(dim=1, keepdim=True), inherent.norm(dim=1, keepdim=True)
    step = 5 * (inherent - thermal).norm(dim=1, keepdim=True)
    bumps = (torch.exp(-(((one - RADII.to(one)) / 0.1) ** 2)) for one in (r, s))
    return torch.cat([*bumps, 10 * (r - s), step], dim=1)
