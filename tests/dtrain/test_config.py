"""Recipes: what may be written, and what is said about mistakes."""

from __future__ import annotations

import pytest

from dtrain.config import DEFAULT_RECIPE, PACKAGE, command_line, load_recipe
from runkit.config import dump_toml
from runkit.errors import UserError
from tests.dtrain.conftest import train_here


@pytest.mark.parametrize("path", sorted((PACKAGE / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_package_is_valid_and_is_what_it_prints(path, tmp_path):
    recipe = load_recipe(path)
    (tmp_path / "printed.toml").write_text(dump_toml(recipe))
    assert load_recipe(tmp_path / "printed.toml") == recipe


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.tim=3", "unknown key 'data.tim'; did you mean 'data.time'?"),
        ("data.name=glas", "unknown data set 'glas'; did you mean 'glass'?"),
        ("model.name=botn", "unknown model 'botn'; did you mean 'botan'?"),
        ("model.parameters.widht=3", "model 'botan' has no parameter 'widht'; did you mean 'width'?"),
        ("loss.p=2", "loss.p = 2 is not allowed; allowed: a number >= 0 and <= 1"),
        ("phase.joint.epochs=-1", "phase.joint.epochs = -1 is not allowed; allowed: a number > 0"),
        ("phase.joint.epoch=3", "unknown key 'phase.joint.epoch'; did you mean 'phase.NAME.epochs'?"),
        ("phase.joint.loss.p=3", "phase.joint.loss.p = 3"),
        ("phase.joint.data.tim=0", "phase.joint.data.tim"),
        ("phase.jiont.epochs=3", "phase.jiont.learning_rate must be given; allowed: a number > 0"),
        ("data.split.train=3.5", "three fractions with sum <= 1 or three whole numbers"),
        ("name=../else", "name = '../else' is not allowed"),
        ("batch=0", "batch = 0 is not allowed; allowed: an integer >= 1"),
    ],
)
def test_a_mistake_is_named_with_its_key(setting, message):
    with pytest.raises(UserError) as error:
        load_recipe(DEFAULT_RECIPE, [setting])
    assert message in str(error.value)


def test_a_phase_overrides_keys_of_data_and_loss_for_itself_alone():
    recipe = load_recipe(PACKAGE / "recipes" / "botan_published.toml")
    assert [(recipe.data_in(name).time, recipe.loss_in(name).p) for name in recipe.phase] == [(1, 0.0), (6, 0.4)]


def test_a_campaign_has_a_run_with_a_folder_of_its_own_for_every_combination():
    recipe = load_recipe(
        DEFAULT_RECIPE, ["name=study"], {"campaign": {"grid": {"data.time": [0, 2], "seed": [1, 2, 3]}}}
    )
    runs = recipe.runs()
    assert [(run.data.time, run.seed) for run in runs] == [(time, seed) for time in (0, 2) for seed in (1, 2, 3)]
    assert len({run.name for run in runs}) == 6 and {run.output for run in runs} == {"runs/study"}
    assert all(run.loss == recipe.loss and not run.campaign.grid for run in runs)


@pytest.mark.parametrize(
    ("grid", "message"), [({"data.tims": [1]}, "unknown key 'data.tims'"), ({"loss.p": [3]}, "loss.p = 3")]
)
def test_a_campaign_over_a_key_that_is_not_there_or_out_of_range_is_refused(grid, message):
    with pytest.raises(UserError, match=message):
        load_recipe(DEFAULT_RECIPE, [], {"campaign": {"grid": grid}}).runs()


def test_a_command_line_without_a_recipe_means_the_default_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command_line(["show", "seed=4"])[1] == ["show", "seed=4", str(DEFAULT_RECIPE)]
    named = command_line(["recipes/botan_campaign.toml", "seed=4"])[1]
    assert named == [str(PACKAGE / "recipes" / "botan_campaign.toml"), "seed=4"]


def test_a_bad_recipe_ends_with_one_line_and_code_2(tmp_path):
    (tmp_path / "bad.toml").write_text("[data]\ntime = -1\n[phase.joint]\nepochs = 1\nlearning_rate = 1e-3\n")
    code, output = train_here(tmp_path, "--local_rank=0", "bad.toml")
    assert code == 2
    assert output.splitlines() == ["error: bad.toml: data.time = -1 is not allowed; allowed: an integer >= 0"]
