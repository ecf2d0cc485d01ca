"""BOTAN: the published function in fewer operations."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import relu

from dtrain.data.graphs import graph
from dtrain.data.pairs import near_pairs
from dtrain.models.botan import Botan, by_columns
from dtrain.normalisation import DenormalisedNetwork
from dtrain.weights import load_model

# The authors' weights and their outputs, where they are at hand: BOTAN_DATA or a folder beside the working copy.
PUBLISHED = Path(os.environ.get("BOTAN_DATA", Path(__file__).parents[3] / "shared" / "data"))

Inputs = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def inputs(glass) -> Inputs:
    return glass.inputs(glass.batch([0]))


@pytest.fixture
def network() -> Botan:
    torch.manual_seed(0)
    return Botan()


def published_form(network: Botan, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
    """The function as the paper writes it: every layer on concatenated inputs."""

    def mlp(part: torch.nn.Module, *inputs: Tensor) -> Tensor:
        return relu(part.fc2(relu(part.fc1(torch.cat(inputs, dim=1)))))

    source, target = edge_index
    x_0, edge_0 = mlp(network.node_encoder, x), mlp(network.edge_encoder, edge_attr)
    x, edge = x_0, edge_0
    for _ in range(7):
        edge = mlp(network.network.edge_model.mlp, x[source], x[target], edge, edge_0)
        arriving = torch.zeros_like(x).index_add(0, target, edge)
        x = mlp(network.network.node_model.mlp, x, x_0, arriving)
    decoder = network.decoder
    return tuple(decoder.fc3(mlp(decoder, part)).squeeze(1) for part in (x, edge))


def test_the_published_network_has_54209_parameters(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 54_209


def test_split_layers_give_the_function_and_gradients_of_concatenated_ones(network, inputs):
    results = []
    for function in (network, lambda *inputs: published_form(network, *inputs)):
        network.zero_grad()
        node, edge = function(*inputs)
        (node.square().mean() + edge.square().mean()).backward()
        results.append((node, edge, *(parameter.grad.clone() for parameter in network.parameters())))
    for ours, published in zip(*results, strict=True):
        torch.testing.assert_close(ours, published, rtol=1e-4, atol=1e-6)


def test_half_precision_sees_all_digits_of_edge_vectors(network, inputs):
    x, edge_index, edge_attr = inputs
    seen = []
    network.edge_encoder.register_forward_hook(lambda module, arguments, output: seen.append(output))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = network(x, edge_index, edge_attr)
    assert torch.equal(seen[0], network.edge_encoder(edge_attr))
    assert all(output.dtype == torch.float32 for output in outputs)


def test_outputs_follow_a_permutation_of_particles(network, inputs, rng):
    x, edge_index, edge_attr = inputs
    order = torch.from_numpy(rng.permutation(len(x)))
    node, edge = network(x, edge_index, edge_attr)
    moved_node, moved_edge = network(x[order], torch.argsort(order)[edge_index], edge_attr)
    torch.testing.assert_close(moved_node, node[order], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(moved_edge, edge, rtol=1e-4, atol=1e-6)


def test_outputs_do_not_depend_on_where_the_box_is_cut(network, glass):
    box, species = glass.dataset["box"][0], glass.dataset["species"][0]
    position = glass.dataset["initial_position"][0]
    found = []
    for shift in (np.zeros(3), np.array([0.4, -1.3, 7.9])):
        pairs = near_pairs(position + shift, box, 2.0)
        found.append(network(*glass.inputs(graph(species, [position + shift], box, pairs))))
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(not (PUBLISHED / "pyg_botan_weights").is_dir(), reason="no published weights (set BOTAN_DATA)")
def test_published_weights_give_the_published_outputs():
    trained = load_model(PUBLISHED / "pyg_botan_weights" / "model1.pth")
    configuration = np.load(PUBLISHED / "kob_andersen_T0.44" / "isoconfig_N4096T0.44_1_tc07.npz")
    position, box = configuration["initial_positions"], np.full(3, (4096 / 1.2) ** (1 / 3))
    whole = graph(configuration["types"], [position], box, near_pairs(position, box, trained.recipe.data.cutoff))
    node, edge = DenormalisedNetwork(trained.network, trained.normalisation).predict(
        whole.x, whole.edge_index, whole.edge_attr
    )
    wanted = np.load(PUBLISHED / "pyg_botan_weights" / "reference_output_config1.npz")
    np.testing.assert_allclose(node, wanted["node"], atol=1e-5)
    source, target = whole.edge_index.numpy()
    by_source = np.lexsort((target, source))[::16]
    assert np.array_equal(source[by_source], wanted["source"]) and np.array_equal(target[by_source], wanted["target"])
    np.testing.assert_allclose(edge[by_source], wanted["edge"], atol=1e-5)


def test_on_a_gpu_the_first_layer_multiplies_no_matrices_and_so_cuts_no_digits(inputs):
    torch.manual_seed(0)
    layer, vectors = torch.nn.Linear(6, 64), torch.cat([inputs[2], inputs[2] + 1e-4], dim=1)
    exact = torch.nn.functional.linear(vectors.double(), layer.weight.double(), layer.bias.double())
    found = by_columns(vectors, layer)
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=1e-6)
    cut = (vectors.view(torch.int32) & ~0x1FFF).view(torch.float32)  # as TF32 sees them
    assert (by_columns(cut, layer).double() - exact).abs().max() > 100 * (found.double() - exact).abs().max()
    for one, other in zip(
        *(torch.autograd.grad(y.sin().sum(), [layer.weight, layer.bias]) for y in (found, layer(vectors))), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
