"""Weights with which a run starts, of a whole network or of a part of it, and parts that stay as they are."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from dtrain.config import DEFAULT_RECIPE, Recipe, load_recipe
from dtrain.data.flow_cloud import FlowCloud
from dtrain.estimate import cost_of
from dtrain.frozen import freeze, frozen_parts
from dtrain.models.norms import BatchNorm
from dtrain.normalisation import Normalisation
from dtrain.start import learnt_before, read_starts, start_from
from dtrain.weights import build_network, load_model, save_model
from runkit.errors import UserError
from tests.dtrain.conftest import losses, settings_of, train_here, trained_here
from tests.flow_factory import write_flow

UNITS = Normalisation((0.3, -0.1), (0.2, 0.05))
SPLIT = "split = { train = 4, validation = 1, test = 1 }"
ON_GRID = f"""
name = "tiny"
batch = 4
micro = 0
log_every = 1
[model]
name = "flow-unet"
parameters = {{ widths = [8], norm = "batch" }}
[data]
name = "flow"
horizon = 3
{SPLIT}
[phase.one]
epochs = 2
learning_rate = 1e-2
"""
NEAR = f"""
name = "tiny"
batch = 4
micro = 0
log_every = 1
ema = 0.9
[model]
name = "flow-near"
parameters = {{ width = 16, rounds = 2, unet = {{ widths = [8], norm = "batch" }} }}
start = {{ of_grid = "GRID" }}
frozen = ["of_grid"]
[data]
name = "flow-cloud"
graph = "points"
through = true
unroll = 2
horizon = 3
{SPLIT}
[phase.one]
epochs = 6
learning_rate = 1e-2
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return write_flow(tmp_path_factory.mktemp("data") / "flow.h5", n_points=240)


@pytest.fixture(scope="module")
def grid_run(file, tmp_path_factory) -> Path:
    return trained_here(tmp_path_factory.mktemp("grid"), *settings_of(tmp_path_factory.mktemp("recipe"), ON_GRID, file))


def near_recipe(file: Path, grid_run: Path, *changes: str) -> Recipe:
    text = settings_of(grid_run.parent, NEAR.replace("GRID", str(grid_run)), file)
    return load_recipe(str(text[0]), [f"data.file={file}", *changes])


def test_a_frozen_part_keeps_weights_and_statistics_while_the_others_learn(file, grid_run, tmp_path):
    """With an average of the weights, too; so the answer on the grid is that of the network that is the part."""
    settings = settings_of(tmp_path, NEAR.replace("GRID", str(grid_run)), file)
    run = trained_here(tmp_path, *settings)
    assert losses(run)[-1] < 0.9 * losses(run)[0]
    before, after = load_model(grid_run).network.state_dict(), load_model(run).network.state_dict()
    assert all(torch.equal(value, after[f"of_grid.{name}"]) for name, value in before.items())
    learnt = json.loads((run / "data.json").read_text())
    assert set(learnt["earlier"]) == load_model(grid_run).origin.learnt and len(learnt["earlier"]) == 4


def test_parts_that_are_not_frozen_learn_from_where_they_start(file, grid_run):
    recipe = near_recipe(file, grid_run, "model.frozen=[]")
    data = FlowCloud(recipe.data, recipe.seed)
    network = build_network(recipe, data.sizes)
    start_from(network, recipe, read_starts(recipe), data.normalisation)
    wanted = load_model(grid_run).network.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in network.of_grid.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert learnt_before(read_starts(recipe)) == load_model(grid_run).origin.learnt


def test_what_lies_beside_a_frozen_part_learns(file, grid_run):
    recipe = near_recipe(file, grid_run, 'model.frozen=["of_grid.halving"]')
    data = FlowCloud(recipe.data, recipe.seed)
    network = build_network(recipe, data.sizes)
    start_from(network, recipe, read_starts(recipe), data.normalisation)
    batch = data.batch([data.split["train"][0]], [0])
    data.loss(data.output(network, batch), batch, recipe.loss_in("one"))["loss"].sum().backward()
    learning = {name for name, one in network.of_grid.named_parameters() if one.grad is not None}
    assert learning == {name for name, _ in network.of_grid.named_parameters() if not name.startswith("halving")}


def test_copies_of_a_network_with_a_frozen_part_can_be_made_and_have_it_too(file, grid_run):
    recipe = near_recipe(file, grid_run)
    data = FlowCloud(recipe.data, recipe.seed)
    network = build_network(recipe, data.sizes)
    start_from(network, recipe, read_starts(recipe), data.normalisation)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert all(
            torch.equal(one, other) for one, other in zip(network.parameters(), copied.parameters(), strict=True)
        )
        assert frozen_parts(copied) == [copied.of_grid]
        assert not any(module.training for module in copied.of_grid.modules())


def test_the_outermost_parts_are_frozen_of_which_no_weight_is_trained():
    network = nn.Sequential(nn.Sequential(nn.Linear(1, 1), BatchNorm(1)), nn.GELU(), nn.Linear(1, 1))
    assert frozen_parts(network) == []
    freeze(network[0][1])
    assert frozen_parts(network) == [network[0][1]]
    freeze(network[0])
    assert frozen_parts(network) == [network[0]]
    freeze(network)
    assert frozen_parts(network) == [network]


def test_an_estimate_of_cost_leaves_training_and_evaluation_as_they_were(file, grid_run):
    recipe = near_recipe(file, grid_run)
    data = FlowCloud(recipe.data, recipe.seed)
    network = build_network(recipe, data.sizes)
    start_from(network, recipe, read_starts(recipe), data.normalisation)
    before = {name: module.training for name, module in network.named_modules()}
    cost_of(network, data, recipe.loss_in("one"))
    assert {name: module.training for name, module in network.named_modules()} == before
    assert before["of_grid"] is False and before["network"] is True


def test_weights_of_a_network_that_computes_otherwise_are_refused(file, grid_run):
    """A number or a kind of layer that no weight shows; fractions may differ as units of two data sets may."""
    recipe = near_recipe(file, grid_run)
    data, starts = FlowCloud(recipe.data, recipe.seed), read_starts(recipe)
    network = build_network(recipe, data.sizes)
    norm = network.of_grid.coarsest[0].norms[0]
    norm.eps *= 1 + 1e-4
    start_from(network, recipe, starts, data.normalisation)
    norm.eps = 1e-3
    with pytest.raises(UserError, match=r"weights fit, but coarsest\.0\.norms\.0\.eps is 1e-05 there and 0\.001 here"):
        start_from(network, recipe, starts, data.normalisation)
    norm.eps = 1e-5
    network.of_grid.last.__class__ = nn.Conv2d
    with pytest.raises(UserError, match=r"but last\.class is PeriodicConv2d there and Conv2d here"):
        start_from(network, recipe, starts, data.normalisation)


def test_a_frozen_part_costs_no_gradients(file, grid_run):
    costs = {}
    for frozen in ("[]", '["of_grid"]'):
        recipe = near_recipe(file, grid_run, f"model.frozen={frozen}")
        data = FlowCloud(recipe.data, recipe.seed)
        network = build_network(recipe, data.sizes)
        start_from(network, recipe, read_starts(recipe), data.normalisation)
        costs[frozen] = cost_of(network, data, recipe.loss_in("one"))
    free, held = costs.values()
    of_part = sum(value.numel() for value in load_model(grid_run).network.parameters())
    assert free.parameter_bytes - held.parameter_bytes == 12 * of_part
    assert held.kept_bytes < free.kept_bytes and held.n_operations < free.n_operations


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (['model.start={"on_grid" = "GRID"}'], r"model\.start\.on_grid: .* no part 'on_grid'; did you mean 'of_grid'"),
        (['model.start={of_grid = "nowhere"}'], r"model\.start\.of_grid = 'nowhere': there are no weights at nowhere"),
        (["model.parameters.unet.images=2"], r"of_grid = .*: weights fit, but images is 0 there and 2 here"),
        (["model.parameters.unet.stream=true"], r"of_grid = .*: weights fit, but spreads is None there"),
        (["model.parameters.unet.widths=[16]"], r"model\.start\.of_grid = .* do not fit the network: "),
        (['model.frozen=["of_grid.up"]'], r"model\.frozen: the part 'of_grid\.up' has no weights"),
        (['model.frozen=["of_gird"]'], r"model\.frozen: the network has no part 'of_gird'; did you mean 'of_grid'"),
        (
            ['model.frozen=["of_grid","node_encoder","edge_encoder","network","decoder"]'],
            "nothing is left to train",
        ),
        (["data.split.seed=1"], r"model\.start\.of_grid = .*: it has other units"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(file, grid_run, changes, told):
    recipe = near_recipe(file, grid_run, *(change.replace("GRID", str(grid_run)) for change in changes))
    data = FlowCloud(recipe.data, recipe.seed)
    with pytest.raises(UserError, match=told) as error:
        start_from(build_network(recipe, data.sizes), recipe, read_starts(recipe), data.normalisation)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["initial", "model.start.of_grid"])
def test_a_training_that_cannot_start_ends_with_the_key(file, grid_run, tmp_path, key):
    settings = settings_of(tmp_path, NEAR.replace("GRID", str(grid_run)), file)
    code, printed = train_here(tmp_path, *settings, f"{key}=nowhere")
    assert code == 2 and f"{key} = 'nowhere': there are no weights at nowhere" in printed


def test_training_can_start_from_the_weights_of_a_file(tmp_path):
    recipe = load_recipe(DEFAULT_RECIPE, ["model.parameters.width=8", "model.parameters.rounds=2"])
    sizes = {"node_width": 1, "edge_width": 6}
    network, fresh = (build_network(recipe, sizes) for _ in range(2))
    save_model(tmp_path / "model.safetensors", network.state_dict(), recipe, sizes, UNITS, {"step": 7})
    started = recipe.model_copy(update={"initial": str(tmp_path)})
    start_from(fresh, started, read_starts(started), replace(UNITS, mean=(0.0, 0.0)))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), fresh.parameters(), strict=True))
    wide = build_network(load_recipe(DEFAULT_RECIPE, ["model.parameters.width=16"]), sizes)
    with pytest.raises(UserError, match=r"initial = .*do not fit the network"):
        start_from(wide, started, read_starts(started), UNITS)
