"""A network of a periodic flow knows that it is periodic; and what a later phase lacks is told before the first one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dtrain import evaluate, predict, train
from dtrain.config import load_recipe
from dtrain.data.clips import rollout
from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.weights import build_network, load_model
from runkit.dataset.reader import Dataset
from tests.dtrain.conftest import train_here
from tests.flow_factory import FLOW_RECIPE, write_flow
from tests.real.test_training_identity import refused

PERIODIC = ("PERIODIC", "PERIODIC")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe and a file whose y faces are periodic."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(FLOW_RECIPE)
    write_flow(tmp_path / "flow.h5", bc_type=PERIODIC)
    return tmp_path


@pytest.mark.parametrize(("faces", "periods"), [(PERIODIC, [0, 16]), (("WALL", "WALL"), [0, 0])])
def test_the_faces_of_the_file_say_along_which_axes_a_network_is_periodic(tmp_path, faces, periods):
    write_flow(tmp_path / "flow.h5", bc_type=faces)
    options = FlowOptions(file=str(tmp_path / "flow.h5"))
    assert Flow(options).sizes["periodic"] == periods
    assert Flow(options.model_copy(update={"periodic": False})).sizes["periodic"] == [0, 0]


def test_a_trained_network_rolls_a_shifted_flow_out_to_the_shifted_frames(folder):
    code, printed = train_here(folder, "recipe.toml")
    assert code == 0, printed
    trained = load_model("runs/run")
    assert trained.network.periodic == (False, True)
    data = Flow(trained.options, normalisation=trained.normalisation)
    clips = data.batch([0])
    with torch.no_grad():
        frames = rollout(trained.network, clips, 4)
        shifted = rollout(trained.network, clips.each(lambda tensor: tensor.roll(4, -1)), 4)
    torch.testing.assert_close(shifted, frames.roll(4, -1))
    assert not torch.allclose(shifted, frames, atol=1e-3)


def test_a_network_of_a_periodic_flow_is_not_asked_about_one_between_walls(folder, capsys):
    code, printed = train_here(folder, "recipe.toml")
    assert code == 0, printed
    write_flow(folder / "walls.h5")
    for main, words in ((evaluate.main, ["runs/run", "file=walls.h5"]), (predict.main, ["runs/run", "walls.h5"])):
        assert "walls.h5: periodic y: 0, but the network has learnt with 1" in refused(main, *words, capsys=capsys)
    predict.main(["runs/run", "flow.h5", "device=cpu", "threads=1"])
    with Dataset("runs/run/predictions.h5") as file:
        assert file.sizes["case"] == 6


def test_a_grid_that_the_network_cannot_halve_is_told_with_the_ways_out(folder, capsys):
    write_flow(folder / "odd.h5", shape=(16, 17), bc_type=PERIODIC)
    told = refused(train.main, "show", "recipe.toml", "data.file=odd.h5", capsys=capsys)
    assert "17 cells along y, which is periodic, are no multiple of 2" in told and "data.periodic = false" in told
    train.main(["show", "recipe.toml", "data.file=odd.h5", "data.periodic=false"])
    assert "parameters" in capsys.readouterr().out


def test_weights_without_the_word_periodic_are_those_of_a_network_that_is_not(folder):
    recipe = load_recipe("recipe.toml")
    network = build_network(recipe, {"inputs": 4, "outputs": 3})
    assert network.periodic == (False, False)


LATE = {
    "clips that are too long": ("data = { unroll = 9 }", "phase two: data: clips of 30 frames cannot be had"),
    "a file that is not there": ('data = { file = "nowhere.h5" }', "nowhere.h5"),
    "a file with other faces": ('data = { file = "walls.h5" }', "phase.two.data: the network's periodic is [0, 16]"),
    "no case left": ("data = { outside = { reynolds = [0, 1000] } }", "cannot be had from 0 samples"),
}


@pytest.mark.parametrize("what", LATE)
@pytest.mark.parametrize("words", [(), ("show",)], ids=["train", "show"])
def test_what_a_later_phase_lacks_is_told_before_the_first_one_trains(folder, capsys, what, words):
    settings, told = LATE[what]
    write_flow(folder / "walls.h5")
    (folder / "recipe.toml").write_text(f"{FLOW_RECIPE}[phase.two]\nepochs = 1\nlearning_rate = 1e-3\n{settings}\n")
    assert told in refused(train.main, *words, "recipe.toml", capsys=capsys)
    assert not list(folder.glob("runs/run/training.csv"))
