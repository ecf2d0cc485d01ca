"""A training step of BOTAN on the CPU, as published and as ours: steps per minute of a core's processor time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.utils import scatter

from dtrain.data.graphs import graph
from dtrain.data.pairs import near_pairs
from dtrain.kernels.cpu.products import add_product
from dtrain.kernels.cpu.two_layers import BLOCK
from dtrain.models.botan import MLP, Botan
from dtrain.ranks import keep_freed_memory
from runkit.simd.compiled import kernel
from tools.benchmarks.table import Row, show

Inputs = tuple[Tensor, Tensor, Tensor]


class Published(nn.Module):
    """BOTAN as published, of torch's own layers on concatenated inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.botan = Botan()

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
    """Measure all forms and print the table, in which the peer is the published form, then memory."""
    torch.set_num_threads(1)
    if not arguments.give_back:
        keep_freed_memory()
    inputs = _liquid(arguments.particles)
    with FlopCounterMode(display=False) as counter:
        _step(Botan(), inputs)
    n_operations, (library, own) = counter.get_total_flops(), (_product_of_torch(), _product_of_ours())
    print(f"{arguments.particles} particles, {inputs[1].shape[1]} directed edges, one thread; a step is")
    print(f"{n_operations / 1e9:.1f} GFLOP; products of matrices: torch {library / 1e9:.0f} GFLOP/s, 1024 x 1024,")
    print(f"ours {own / 1e9:.0f} GFLOP/s, in the cache\n")
    show(_rows(arguments, inputs, 60 * max(library, own) / n_operations), "steps/min", "published")
    published, ours = (_memory(form, arguments.particles) for form in (Published, Botan))
    print(f"\nmemory of a step: published {published / 1e6:.0f} MB, ours {ours / 1e6:.0f} MB: {ours / published:.2f}")


def _rows(arguments, inputs: Inputs, limit: float) -> Iterator[Row]:
    forms = {"as published": Published(), "ours": Botan()}
    if arguments.compile:
        forms["ours, compiled"] = Botan()
        forms["ours, compiled"].compile(dynamic=True)
    for network in forms.values():
        _step(network, inputs)
    turns = [[_rate(network, inputs) for network in forms.values()] for _ in range(arguments.turns)]
    published, *others = np.array(turns).T
    for name, rates in zip(list(forms)[1:], others, strict=True):
        yield Row(name, rates, published, limit)


def _product_of_torch() -> float:
    """Operations per second of a large product, the best of some."""
    a, n = torch.randn(1024, 1024), 1024
    return 2 * n**3 / min(_seconds(lambda: a @ a) for _ in range(20))


def _product_of_ours() -> float:
    """Operations per second of the products that edges are updated by, of as many rows, in the cache."""
    n, width, n_times = BLOCK, 64, 2000
    rows, weight, out = (torch.randn(m, width).view(-1).numpy() for m in (n, width, n))
    _multiply(out, rows, weight, n, width, 1)
    seconds = min(_seconds(lambda: _multiply(out, rows, weight, n, width, n_times)) for _ in range(20))
    return 2 * n * width**2 * n_times / seconds


@kernel
def _multiply(out, rows, weight, n, width, n_times):
    for _ in range(n_times):
        add_product(out, 0, width, rows, 0, width, 1, weight, 0, width, n, width, width)


def _memory(form: Callable[[], nn.Module], n_particles: int) -> float:
    """Bytes of a step beyond what was there, in a process of its own; the largest ever, so a small step comes first."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_taken, (form, n_particles))


def _taken(form: Callable[[], nn.Module], n_particles: int) -> float:
    torch.set_num_threads(1)
    network, inputs = form(), _liquid(n_particles)
    _step(network, _liquid(200))
    Path("/proc/self/clear_refs").write_text("5")  # the largest begins anew
    before = _status("VmRSS")
    _step(network, inputs)
    return _status("VmHWM") - before


def _status(name: str) -> float:
    """A size of this process in bytes, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _liquid(n_particles: int) -> Inputs:
    """A graph with about as many edges as the liquid of density 1.2."""
    rng = np.random.default_rng(0)
    box = np.full(3, (n_particles / 1.2) ** (1 / 3))
    position = rng.uniform(0, 1, (n_particles, 3)) * box
    example = graph(rng.integers(0, 2, n_particles), [position], box, near_pairs(position, box, 2.0))
    return example.x, example.edge_index, example.edge_attr


def _step(network: nn.Module, inputs: Inputs) -> None:
    node, edge = network(*inputs)
    (node.square().mean() + edge.square().mean()).backward()


def _rate(network: nn.Module, inputs: Inputs) -> float:
    return 60 / _seconds(lambda: _step(network, inputs))


def _seconds(work: Callable[[], Any]) -> float:
    """Processor time of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start
