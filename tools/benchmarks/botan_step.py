"""A training step of BOTAN on the CPU, as published and as ours: steps per minute of a core's processor time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from dtrain.data.graphs import graph
from dtrain.data.pairs import near_pairs
from dtrain.models.botan import MLP, Botan
from dtrain.ranks import keep_freed_memory
from tools.benchmarks.table import Row, show


class Published(nn.Module):
    """BOTAN as published, of torch's own layers on concatenated inputs, with the weights of `botan`."""

    def __init__(self, botan: Botan) -> None:
        super().__init__()
        self.botan = botan

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        botan, (source, target) = self.botan, edge_index
        x_0, edge_0 = _mlp(botan.node_encoder, x), _mlp(botan.edge_encoder, edge_attr)
        x, edge = x_0, edge_0
        for _ in range(botan.rounds):
            edge = _mlp(botan.network.edge_model.mlp, torch.cat([x[source], x[target], edge, edge_0], dim=1))
            arriving = scatter(edge, target, dim=0, dim_size=len(x))
            x = _mlp(botan.network.node_model.mlp, torch.cat([x, x_0, arriving], dim=1))
        return tuple(botan.decoder.fc3(_mlp(botan.decoder, values)).squeeze(-1) for values in (x, edge))


def _mlp(layers: MLP, values: Tensor) -> Tensor:
    return layers.fc2(layers.fc1(values).relu()).relu()


def run(arguments) -> None:
    """Measure all forms and print the table; the peer is the published form."""
    torch.set_num_threads(1)
    if not arguments.give_back:
        keep_freed_memory()
    inputs = _liquid(arguments.particles)
    print(f"{arguments.particles} particles, {inputs[1].shape[1]} directed edges, one thread\n")
    show(_rows(arguments, inputs), "steps/min", "published")


def _rows(arguments, inputs: tuple[Tensor, Tensor, Tensor]) -> Iterator[Row]:
    forms = {"as published": Published(Botan()), "ours": Botan()}
    if arguments.compile:
        forms["ours, compiled"] = Botan()
        forms["ours, compiled"].compile(dynamic=True)
    for network in forms.values():
        _step(network, inputs)
    turns = [[_rate(network, inputs) for network in forms.values()] for _ in range(arguments.turns)]
    published, *others = np.array(turns).T
    for name, rates in zip(list(forms)[1:], others, strict=True):
        yield Row(name, rates, published)


def _liquid(n_particles: int) -> tuple[Tensor, Tensor, Tensor]:
    """A graph with about as many edges as the liquid of density 1.2."""
    rng = np.random.default_rng(0)
    box = np.full(3, (n_particles / 1.2) ** (1 / 3))
    position = rng.uniform(0, 1, (n_particles, 3)) * box
    example = graph(rng.integers(0, 2, n_particles), [position], box, near_pairs(position, box, 2.0))
    return example.x, example.edge_index, example.edge_attr


def _step(network: nn.Module, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
    node, edge = network(*inputs)
    (node.square().mean() + edge.square().mean()).backward()


def _rate(network: nn.Module, inputs: tuple[Tensor, Tensor, Tensor]) -> float:
    start = time.process_time()
    _step(network, inputs)
    return 60 / (time.process_time() - start)
