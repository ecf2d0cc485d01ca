"""Every key of a recipe, driven through values that nobody should give: one line, or a plan."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtrain.config import Recipe, load_recipe, recipe_class
from dtrain.data import data as data_sets
from dtrain.deepspeed_config import read_config
from dtrain.models import model as networks
from dtrain.ranks import Ranks, connect
from dtrain.start import read_starts, start_from
from dtrain.train import show
from dtrain.weights import build_network
from runkit.constraints import keys
from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig
from tests.real.wrong import anything, examples, plan_or_refusal, require_named

NETWORKS = {"glass": ("botan", "width=2", "rounds=1"), "flow": ("flow-cnn", "widths=[2]", "skip=false")}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    return {"glass": write_isoconfig(folder / "glass.h5", 4, 32), "flow": write_flow(folder / "flow.h5")}


@pytest.fixture(scope="module")
def ranks() -> Ranks:
    return connect("cpu", 1)


def small(name: str, files: dict[str, Path]) -> list[str]:
    """Settings of a recipe that is planned at once."""
    network, *parameters = NETWORKS[name]
    chosen = [f"model.parameters.{parameter}" for parameter in parameters]
    return [f"data.name={name}", f"data.file={files[name]}", f"model.name={network}", *chosen]


def before_training(ranks: Ranks, recipe: Recipe) -> None:
    """What is looked at before the first step."""
    show(recipe)
    read_config(recipe.deepspeed, recipe.batch, ranks, recipe.micro, recipe.optimizer)
    first = data_sets.get(recipe.data.name)(recipe.data_in(next(iter(recipe.phase))), seed=recipe.seed)
    start_from(build_network(recipe, first.sizes), recipe, read_starts(recipe), first.normalisation)


def told_of(ranks: Ranks, settings: list[str], key: str, value: object) -> str:
    phase = ("phase.joint.epochs=1", "phase.joint.learning_rate=0.1")
    return plan_or_refusal(partial(load_recipe, None), partial(before_training, ranks), [*phase, *settings], key, value)


@pytest.mark.parametrize("name", NETWORKS)
@examples(300)
@given(data=st.data())
def test_a_value_of_a_key_gives_a_plan_or_one_line(name, files, ranks, data):
    model = recipe_class(name)
    key = data.draw(st.sampled_from(keys(model))).replace("NAME", "joint")
    value = data.draw(anything)
    require_named(told_of(ranks, small(name, files), key, value), model, (key.split(".")[-1],), (key, value))


@pytest.mark.parametrize("name", NETWORKS)
@examples(200)
@given(data=st.data())
def test_a_parameter_of_a_network_gives_a_plan_or_one_line(name, files, ranks, data):
    known = list(networks.parameters(NETWORKS[name][0]))
    key = data.draw(st.sampled_from([*known, "ü"]))
    value = data.draw(anything)
    told = told_of(ranks, small(name, files), f"model.parameters.{key}", value)
    require_named(told, recipe_class(name), (key,), (key, value))
