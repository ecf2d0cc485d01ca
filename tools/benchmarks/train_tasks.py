"""What the benchmark of training steps trains: networks of published size on made-up samples of any number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dtrain.data.clips import Clips, rollout
from dtrain.data.graphs import Graphs, graph
from dtrain.data.pairs import near_pairs
from dtrain.data.store import Store
from dtrain.data.symmetry import SYMMETRIES
from dtrain.data.tensors import Tensors
from dtrain.losses import field_and_gradient, node_edge
from dtrain.models.botan import Botan
from dtrain.models.flow_cnn import FlowCNN

N_SAMPLES = 16  # different ones


@dataclass
class Task:
    """A network and samples for it; a subclass makes them. `store` is where the samples stay."""

    name = ""
    size: int
    store: Store[Any] = field(default_factory=lambda: Store(torch.device("cpu"), torch.device("cpu"), float("inf"), 0))

    def place(self, device: torch.device, stay: bool) -> None:
        """Form batches on a device from now on; samples stay there, or in memory."""
        self.store = Store(device, device if stay else torch.device("cpu"), float("inf"), 0)

    def batch(self, samples: Sequence[int], epochs: Sequence[int] | None = None) -> Any:
        """A batch as in training, each sample in one of its reflections."""
        kept = [self.store.get(k % N_SAMPLES, partial(self.sample, k % N_SAMPLES)) for k in samples]
        return self.join(kept, epochs or [0] * len(kept))

    def network(self, **parameters: Any) -> nn.Module:
        raise NotImplementedError

    def sample(self, k: int) -> Tensors:
        raise NotImplementedError

    def join(self, samples: list[Any], epochs: Sequence[int]) -> Any:
        raise NotImplementedError

    def losses(self, network: Any, batch: Any) -> Tensor:
        """The loss of each sample."""
        raise NotImplementedError


class Liquid(Task):
    """Graphs of `size` particles with about as many edges as the liquid of density 1.2; BOTAN as published."""

    name = "BOTAN"

    def network(self, **parameters: Any) -> nn.Module:
        return Botan(**parameters)

    def sample(self, k: int) -> Graphs:
        rng = np.random.default_rng(k)
        box = np.full(3, (self.size / 1.2) ** (1 / 3))
        position = rng.uniform(0, 1, (self.size, 3)) * box
        made = graph(rng.integers(0, 2, self.size), [position], box, near_pairs(position, box, 2.0))
        node, edge = torch.randn(self.size), torch.randn(made.edge_index.shape[1])
        masks, counts = (node > 0, edge > 0), ((len(node),), (len(edge),))
        return Graphs(made.x, made.edge_index, made.edge_attr, node, edge, *masks, torch.ones(1), *counts)

    def join(self, samples: list[Graphs], epochs: Sequence[int]) -> Graphs:
        return Graphs.join([one.turned(SYMMETRIES[k % 48]) for one, k in zip(samples, epochs, strict=True)])

    def losses(self, network: Any, batch: Graphs) -> Tensor:
        output = network(batch.x, batch.edge_index, batch.edge_attr)
        counts = batch.n_nodes, batch.n_edges
        return node_edge(output, (batch.node_target, batch.edge_target), counts, 0.4, batch.weight)["loss"]


class Street(Task):
    """Clips of three frames and the three that follow on `size` x `size` cells; the flow CNN of the recipes."""

    name = "flow CNN"

    def network(self, **parameters: Any) -> nn.Module:
        return FlowCNN(**parameters)

    def sample(self, k: int) -> Clips:
        made = torch.Generator().manual_seed(k)
        frames = torch.randn(3, 6, self.size, self.size, generator=made)
        fluid = (torch.rand(1, 1, self.size, self.size, generator=made) > 0.05).float()
        return Clips(frames[:, :3], frames[:, 3:], fluid[0], fluid)

    def join(self, samples: list[Clips], epochs: Sequence[int]) -> Clips:
        clips = Clips.stack(samples)
        return clips.mirrored() if sum(epochs) % 2 else clips

    def losses(self, network: Any, batch: Clips) -> Tensor:
        return field_and_gradient(rollout(network, batch, 3), batch.target, batch.fluid, 5.0)["loss"]
