"""A linear model of descriptors: propensity by species of the particle, bond change by species and shell of the pair.

Its weights are solved for in closed form (`dtrain.least_squares`): it needs neither steps nor luck, and is the rival of
every network that learns from the same data.

Units: those of the targets; lengths in sigma.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dtrain.models import model, require_whole
from runkit.errors import UserError

FIRST_SHELL = 1.35  # thermal distance up to which pairs have weights of their own
RADII = torch.arange(0.8, 2.01, 0.1)  # of bumps over the inherent distance
N_OWN = 10 + len(RADII)  # descriptors of a pair itself


class Seen(NamedTuple):
    """What a linear model sees of a graph: species [n] and descriptors [n, m] of particles; of edges [2, n_edges] their
    ends, descriptors of their own and kinds.
    """

    species: Tensor
    values: Tensor
    edge_index: Tensor
    own: Tensor
    kind: Tensor

    @classmethod
    def of(cls, x: Tensor, edge_index: Tensor, edge_attr: Tensor, n_species: int) -> Seen:
        """Of the inputs of a network."""
        species, values = x[:, 0].long(), x[:, 1:]
        own = torch.cat([pair_descriptors(edge_attr), values[edge_index[0], -1:]], dim=1)
        return cls(species, values, edge_index, own, pair_kinds(species, edge_index, edge_attr, n_species))


class Regression(NamedTuple):
    """One of the model's regressions: features [n, m], targets [n] and which items are scored [n].

    `trusted` columns come first, with a spread that says how far their weights may be trusted; others have any spread.
    Each item counts as `weight` of them.
    """

    features: Tensor
    target: Tensor
    is_scored: Tensor
    n_trusted: int
    weight: float


@model("linear")
class Linear(nn.Module):
    """Particles have a weight for every descriptor; pairs one for the sum of both particles' first `n_leading`, for
    their distances in the liquid and in the inherent structure, and for the last descriptor, that of the configuration.
    """

    def __init__(self, node_width: int = 3, edge_width: int = 6, n_species: int = 2, n_leading: int = 1) -> None:
        super().__init__()
        require_whole(node_width=node_width, edge_width=edge_width, n_species=n_species, n_leading=n_leading)
        if edge_width != 6 or node_width <= n_leading + 1:
            raise ValueError('a linear model needs data.descriptors = true and data.positions = "both"')
        self.n_species, self.n_leading = n_species, n_leading
        self.node = nn.Parameter(torch.zeros(n_species, node_width - 1))
        self.node_offset = nn.Parameter(torch.zeros(n_species))
        self.bond = nn.Parameter(torch.zeros(n_kinds(n_species), n_leading + N_OWN + 1))
        self.bond_offset = nn.Parameter(torch.zeros(n_kinds(n_species)))

    @property
    def reach(self) -> int:
        """A pair sees both of its particles, and nothing further away."""
        return 1

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        """Particles [n_nodes, node_width], edges [2, n_edges] with [n_edges, 6] -> [n_nodes], [n_edges]."""
        return self.answers(Seen.of(x, edge_index, edge_attr, self.n_species))

    def answers(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """The same for what has been made of a graph; UserError if it has other descriptors than were learnt from."""
        species, values, (source, target), own, kind = seen
        if values.shape[1] != self.node.shape[1]:
            told = f"from {self.node.shape[1]} descriptors of a particle; this version makes {values.shape[1]}"
            raise UserError(f"the linear model has learnt {told}: train it anew")
        node = (values @ self.node.T).gather(1, species[:, None])[:, 0] + self.node_offset[species]
        leading = values[:, : self.n_leading] @ self.bond[:, : self.n_leading].T
        edge = (own @ self.bond[:, self.n_leading :].T).gather(1, kind[:, None])[:, 0] + self.bond_offset[kind]
        return node, edge + leading[source, kind] + leading[target, kind]

    def regressions(
        self, inputs: tuple[Tensor, ...], targets: tuple[Tensor, ...], masks: tuple[Tensor, ...], weight: Tensor
    ) -> Iterator[tuple[str, Regression]]:
        """The name and the items of each regression that has some: of particles by species, of pairs by kind.

        Targets [n] of particles and of pairs may have a second axis, and those of the regressions have it then.

        The batch is one graph, of this `weight` [1], or with one weight for particles and one for pairs [1, 2].
        """
        of_nodes, of_pairs = weight.expand(2).tolist() if weight.numel() == 1 else weight.flatten().tolist()
        x, edge_index, edge_attr = inputs
        species, values = x[:, 0].long(), x[:, 1:]
        for one in range(self.n_species):
            if (chosen := species == one).any():
                features = values[chosen]
                n_trusted, target = features.shape[1] - 1, targets[0][chosen]
                yield f"node.{one}", Regression(features, target, masks[0][chosen], n_trusted, of_nodes)
        once = edge_index[0] < edge_index[1]  # both directions of a pair have the same features and the same target
        kinds = pair_kinds(species, edge_index, edge_attr, self.n_species)
        for kind in range(len(self.bond_offset)):
            chosen = (kinds == kind) & once
            if chosen.any():
                source, target = edge_index[:, chosen]
                leading = values[:, : self.n_leading]
                own = pair_descriptors(edge_attr[chosen])
                features = torch.cat([leading[source] + leading[target], own, values[source, -1:]], dim=1)
                target = targets[1][chosen]
                yield f"bond.{kind}", Regression(features, target, masks[1][chosen], self.n_leading, of_pairs)

    @torch.no_grad()
    def set_weights(self, name: str, weights: Tensor, offset: float) -> None:
        """The solution of a regression."""
        kind, _, number = name.partition(".")
        getattr(self, kind)[int(number)] = weights
        getattr(self, f"{kind}_offset")[int(number)] = offset


def pair_kinds(species: Tensor, edge_index: Tensor, edge_attr: Tensor, n_species: int) -> Tensor:
    """A number for the species of a pair, in either order, and whether it is in the first shell [n_edges]."""
    a, b = species[edge_index[0]], species[edge_index[1]]
    is_near = (edge_attr[:, :3].norm(dim=1) < FIRST_SHELL).long()
    kind: Tensor = (torch.minimum(a, b) * n_species + torch.maximum(a, b)) * 2 + is_near
    return kind


def n_kinds(n_species: int) -> int:
    """How many kinds of pairs there are."""
    return n_species * n_species * 2


def pair_descriptors(edge_attr: Tensor) -> Tensor:
    """Invariants [n, N_OWN] of the thermal and the inherent vector of pairs [n, 6]."""
    thermal, inherent = edge_attr[:, :3], edge_attr[:, 3:]
    r, s = thermal.norm(dim=1), inherent.norm(dim=1)
    stretch, square = r - s, (thermal - inherent).square().sum(dim=1)
    powers = [r, r**2, r**3, s, s**2, s**3, stretch, stretch**2, stretch * s, square - stretch**2]
    bumps = torch.exp(-((s[:, None] - RADII.to(s)) ** 2) / (2 * 0.07**2))
    return torch.cat([torch.stack(powers, dim=1), bumps], dim=1)
