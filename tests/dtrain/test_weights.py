"""Weights as files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dtrain.config import DEFAULT_RECIPE, load_recipe
from dtrain.normalisation import DenormalisedNetwork, Normalisation
from dtrain.weights import about_model, build_network, load_model, save_model
from runkit.errors import UserError

SMALL = ["model.parameters.width=8", "model.parameters.rounds=2", "data.positions=both"]
SIZES = {"node_width": 1, "edge_width": 6}
NORMALISATION = Normalisation((0.3, -0.1), (0.2, 0.05))


@pytest.fixture
def recipe():
    return load_recipe(DEFAULT_RECIPE, SMALL)


@pytest.fixture
def saved(tmp_path, recipe):
    network = build_network(recipe, SIZES)
    path = tmp_path / "model.safetensors"
    save_model(path, network.state_dict(), recipe, SIZES, NORMALISATION, {"step": 7})
    return network, path


def test_a_model_file_alone_gives_back_recipe_and_physical_outputs(saved, recipe):
    network, path = saved
    trained = load_model(path.parent)
    inputs = torch.randn(4, 1), torch.tensor([[0, 1, 2], [1, 2, 3]]), torch.randn(3, 6)
    node, edge = DenormalisedNetwork(trained.network, trained.normalisation).predict(*inputs)
    raw_node, raw_edge = (output.detach().numpy() for output in network(*inputs))
    np.testing.assert_allclose(node, 0.3 + 0.2 * raw_node, rtol=1e-6)
    np.testing.assert_allclose(edge, -0.1 + 0.05 * raw_edge, rtol=1e-6)
    assert trained.recipe == recipe and about_model(path) == {"step": 7}


def test_a_pickle_that_holds_more_than_tensors_is_not_run(tmp_path):
    torch.save({"weights": pytest.approx}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match="no weights that are safe to load"):
        load_model(tmp_path / "bad.pth")


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", None])
def test_what_is_no_model_file_is_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors"):
        load_model(path)


def test_targets_that_do_not_vary_are_refused():
    with pytest.raises(UserError, match="do not vary"):
        Normalisation.of(np.ones(4), np.arange(4))
