"""One training step of BOTAN (forward and backward, one graph): as published, as ours, compiled.

All on one core in turns, in processor time. The published form concatenates the inputs of every first layer, edge by
edge; ours multiplies what belongs to particles once per particle and what never changes once per graph.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from dtrain.data.graphs import graph, near_pairs
from dtrain.models.botan import Botan
from dtrain.ranks import keep_freed_memory

Step = Callable[[], None]


def add_arguments(parser) -> None:
    parser.add_argument("--particles", type=int, default=4096)
    parser.add_argument("--turns", type=int, default=3, help="measurements of each form")
    parser.add_argument("--give-back", action="store_true", help="free memory as the C library does by default")
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes at first")


class Published(nn.Module):
    """BOTAN with concatenated inputs, on the layers of `botan`."""

    def __init__(self, botan: Botan) -> None:
        super().__init__()
        self.botan = botan

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        source, target = edge_index
        edge_mlp, node_mlp = self.botan.network.edge_model.mlp, self.botan.network.node_model.mlp
        x_0, edge_0 = self.botan.node_encoder(x), self.botan.edge_encoder(edge_attr)
        x, edge = x_0, edge_0
        for _ in range(self.botan.rounds):
            edge = edge_mlp(torch.cat([x[source], x[target], edge, edge_0], dim=1))
            arriving = scatter(edge, target, dim=0, dim_size=len(x))
            x = node_mlp(torch.cat([x, x_0, arriving], dim=1))
        return self.botan.decoder(x), self.botan.decoder(edge)


def run(arguments) -> None:
    """Measure all forms and print processor seconds per step and their ratio to the published form."""
    torch.set_num_threads(1)
    if not arguments.give_back:
        keep_freed_memory()
    inputs = _liquid(arguments.particles)
    ours, lean, compiled = Botan(), Botan(recompute=True), Botan()
    forms = {"as published": Published(Botan()), "ours": ours, "ours, recomputed": lean}
    if arguments.compile:
        compiled.compile(dynamic=True)
        forms["ours, compiled"] = compiled
    steps = {name: partial(_step, network, inputs) for name, network in forms.items()}
    for step in steps.values():
        step()
    seconds = np.array([[_seconds(step) for step in steps.values()] for _ in range(arguments.turns)])
    print(f"{arguments.particles} particles, {inputs[1].shape[1]} directed edges, one thread\n")
    print("| form | cpu s per step | ratio | range |\n|---|---|---|---|")
    for name, each, ratio in zip(steps, seconds.T, (seconds / seconds[:, :1]).T, strict=True):
        print(f"| {name} | {np.median(each):.2f} | {np.median(ratio):.2f} | {ratio.min():.2f}-{ratio.max():.2f} |")


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


def _seconds(step: Step) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start
