"""A network that answers at many times and temperatures, at some of them.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from dtrain.data.glass_files import TimesOptions
from dtrain.data.knots import Knots, in_words, within
from dtrain.normalisation import Normalisation
from dtrain.weights import Trained


class Moment(nn.Module):
    """The answers of a network (`dtrain.models.any_time`) interpolated between its knots: propensity, bond change.

    `weights` [n_knots] are those of one moment, [n_knots, n_moments] of several; answers are [n] or [n, n_moments].
    Means of particles and all spreads come as logarithms, since they grow as powers of the time.
    """

    def __init__(self, network: nn.Module, weights: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", weights)
        if hasattr(network, "reach"):
            self.reach = network.reach

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        """Particles [n_nodes, width], edges [2, n_edges] with [n_edges, 6] -> answers of particles, of edges, sigma."""
        node, edge, of_nodes, of_edges = self.network(x, edge_index, edge_attr)
        (mean, spread), (mean_change, spread_change) = ((of @ self.weights).unbind(1) for of in (of_nodes, of_edges))
        propensity = torch.exp(mean) + torch.exp(spread) * (node @ self.weights)
        change = mean_change + torch.exp(spread_change) * (edge @ self.weights)
        return propensity, change


def at(trained: Trained, time: float | Sequence[float], temperature: float) -> Trained:
    """The same network at one time, or some, and one temperature; raises UserError for a time that it cannot know."""
    knots = Knots.from_system(trained.system)
    weights = np.stack([knots.weights(one, temperature) for one in np.atleast_1d(time)], axis=1)
    weights = weights if np.ndim(time) else weights[:, 0]
    moment = Moment(trained.network, torch.tensor(weights, dtype=torch.float32, device=trained.device))
    system = {**trained.system, "time": time, "temperature": [temperature]}
    return replace(trained, network=moment.eval(), normalisation=Normalisation.identity(2), system=system)


def replaced(trained: Trained, times: Sequence[float], temperature: float) -> list[str]:
    """What stands in for answers that a network has not learnt, in words, a line each: see `Knots.replaced`."""
    learnt, found = sorted(trained.system["temperature"]), []
    if not within(temperature, learnt):
        is_blind = trained.options_as(TimesOptions).blind
        instead = "the network is not told the temperature (data.blind)" if is_blind else "the nearest answers"
        found.append(f"T = {temperature:g} is outside the temperatures that were learnt, {in_words(learnt)}: {instead}")
    return found + Knots.from_system(trained.system).replaced(times, temperature)
