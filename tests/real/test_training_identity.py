"""What a network has learnt from is known by its content: it goes on with that alone and is scored on the rest."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import h5py
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dtrain import evaluate, predict
from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from runkit.dataset.reader import Dataset
from runkit.stop import UNFINISHED
from tests.dtrain.conftest import train_here
from tests.flow_factory import FLOW_RECIPE, write_flow

ALONE = ("device=cpu", "threads=1")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a file of 6 cases and a network that has learnt from it."""
    folder = tmp_path_factory.mktemp("identity")
    (folder / "recipe.toml").write_text(FLOW_RECIPE)
    write_flow(folder / "flow.h5")
    code, printed = train_here(folder, "recipe.toml")
    assert code == 0, printed
    return folder


def scored(*words: str) -> dict:
    evaluate.main(["runs/run", *ALONE, *words])
    return json.loads(Path("runs/run/evaluation.json").read_text())


def refused(main, *words: str, capsys) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([*words, *ALONE])
    told = capsys.readouterr().err
    assert end.value.code == 2 and told.startswith("error: ") and told.count("\n") == 1, told
    return told


def trained_cases() -> set[int]:
    data = Flow(FlowOptions(file="flow.h5", split={"train": 4, "validation": 1, "test": 1}))
    return set(data.cases["train"]) | set(data.cases["validation"])


def test_a_run_goes_on_with_the_same_data_at_another_path_and_not_with_others_at_the_same(folder):
    begun = ("recipe.toml", "name=begun", "minutes=1e-6")
    code, printed = train_here(folder, *begun)
    assert code == UNFINISHED and "stopped: its 1e-06 minutes are over" in printed
    shutil.move("flow.h5", "moved.h5")
    write_flow(folder / "flow.h5", seed=5)
    code, printed = train_here(folder, *begun)
    assert code == 2 and printed.count("error: ") == 1 and "began with other data" in printed
    code, printed = train_here(folder, "recipe.toml", "name=begun", "data.file=moved.h5")
    assert code == 0 and "goes on after step" in printed and "finished" in printed


def test_a_finished_run_is_not_taken_for_one_of_a_file_that_has_been_replaced(folder):
    assert "is finished" in train_here(folder, "recipe.toml")[1]
    write_flow(folder / "new.h5", seed=5)
    os.replace("new.h5", "flow.h5")
    code, printed = train_here(folder, "recipe.toml")
    assert code == 2 and "runs/run began with other data" in printed
    Path("flow.h5").unlink()
    assert "is finished" in train_here(folder, "recipe.toml")[1]


def test_a_file_made_again_with_more_cases_is_scored_on_the_cases_that_were_held_back(folder, capsys):
    before = scored()["cases"]
    seen = trained_cases()
    Path("flow.h5").unlink()
    write_flow(folder / "flow.h5", n_cases=40)
    assert scored()["cases"] == before and not seen & set(before)
    assert "34 samples belong to no part" in capsys.readouterr().out
    assert scored("part=new")["cases"] == list(range(6, 40))
    assert len(scored("part=all")["cases"]) == 40


def test_cases_that_were_learnt_from_are_not_scored_under_other_numbers_in_another_file(folder, capsys):
    write_flow(folder / "other.h5", n_cases=6, seed=9)
    with h5py.File("flow.h5") as old, h5py.File("other.h5", "r+") as new:
        for name, array in old.items():
            for below in [f"{name}/{field}" for field in array] if isinstance(array, h5py.Group) else [name]:
                if below.startswith(("t0_", "t1_", "scalars")):
                    new[below][...] = old[below][()][::-1]
    seen = {5 - case for case in trained_cases()}
    (held_back,) = set(range(6)) - seen
    capsys.readouterr()
    evaluate.main(["runs/run", *ALONE, "file=other.h5", "part=all", "output=all"])
    assert "not the file of the training" in capsys.readouterr().out
    for part in ("test", "outside"):
        try:
            cases = scored("file=other.h5", f"part={part}")["cases"]
        except SystemExit:
            continue
        assert set(cases) <= {held_back}


def test_all_cases_of_another_file_are_scored_with_those_that_a_split_by_numbers_leaves_over(folder):
    write_flow(folder / "larger.h5", n_cases=9, seed=9)
    assert scored("file=larger.h5", "part=all")["cases"] == list(range(9))
    drawn = [
        case for part in ("train", "validation", "test") for case in scored("file=larger.h5", f"part={part}")["cases"]
    ]
    assert sorted(drawn + scored("file=larger.h5", "part=new")["cases"]) == list(range(9)) and len(drawn) == 6


def test_cases_that_the_first_weights_had_learnt_from_count_too(folder):
    shutil.copy("flow.h5", "second.h5")
    split = "data.split={train=1,validation=0,test=5}"
    code, printed = train_here(folder, "recipe.toml", "name=second", "initial=runs/run", "data.file=second.h5", split)
    assert code == 0, printed
    header = safe_open("runs/second/model.safetensors", "pt").metadata()
    assert len(json.loads(header["origin"])["earlier"]) == 4


@pytest.mark.parametrize(
    ("name", "scale", "words"),
    [("dimensions/time", 2.0, "steps between frames: 200"), ("dimensions/x", 0.5, "sites per cell: 1")],
)
def test_frames_at_another_interval_or_of_another_refinement_are_refused(folder, capsys, name, scale, words):
    shutil.copy("flow.h5", "other.h5")
    with h5py.File("other.h5", "r+") as file:
        file[name][...] = file[name][...] * scale
    assert words in refused(evaluate.main, "runs/run", "file=other.h5", capsys=capsys)
    assert words in refused(predict.main, "runs/run", "other.h5", capsys=capsys)
    assert not Path("runs/run/predictions.h5").exists()


def test_a_file_of_two_cases_is_scored_whole_or_refused_with_the_way_out(folder, capsys):
    write_flow(folder / "two.h5", n_cases=2, seed=3)
    assert "part=all" in refused(evaluate.main, "runs/run", "file=two.h5", capsys=capsys)
    assert scored("file=two.h5", "part=all")["cases"] == [0, 1]


def test_a_file_whose_cases_have_all_failed_is_said_to_hold_nothing(folder, capsys):
    """Not a split that nobody has asked for to be impossible."""
    write_flow(folder / "failed.h5", n_cases=2, failed=(0, 1))
    told = "failed.h5: nothing can be used: 2 of 2 case(s) FAILED"
    assert told in refused(evaluate.main, "runs/run", "file=failed.h5", "part=all", capsys=capsys)
    assert told in refused(predict.main, "runs/run", "failed.h5", capsys=capsys)
    assert told in train_here(folder, "recipe.toml", "name=failed", "data.file=failed.h5")[1]


@pytest.mark.parametrize("text", ["{", "[]", '{"parts": 3}', '{"parts": {"one": {"train": [1]}}}', '{"other": {}}'])
def test_weights_whose_origin_is_damaged_are_refused(folder, capsys, text):
    path = Path("runs/run/model.safetensors")
    header = safe_open(path, "pt").metadata()
    del header["checksums"]  # as in files of older code
    save_file(load_file(path), path, metadata={**header, "origin": text})
    assert "learnt from is damaged" in refused(evaluate.main, "runs/run", capsys=capsys)


MOVES = {"kind": "no-slip", "velocity": [0.0, 0.05]}
ALIKE = {"y_low": {"kind": "free-slip"}, "y_high": {"kind": "free-slip"}}


@pytest.mark.parametrize(
    ("boundaries", "mirrors"),
    [
        ({**ALIKE, "x_low": MOVES}, False),
        ({**ALIKE, "x_high": MOVES}, False),
        ({**ALIKE, "x_low": {**MOVES, "velocity": [0.0, 0.0]}}, True),
        ({"y_low": {**MOVES, "velocity": [0.1, 0.0]}, "y_high": {**MOVES, "velocity": [0.1, 0.0]}}, True),
        ({"y_low": {**MOVES, "velocity": [0.1, 0.0]}, "y_high": {**MOVES, "velocity": [-0.1, 0.0]}}, False),
    ],
)
def test_flows_are_reflected_only_if_no_wall_moves_along_y(tmp_path, boundaries, mirrors):
    path = write_flow(tmp_path / "f.h5", config={"boundaries": boundaries})
    assert Flow(FlowOptions(file=str(path))).mirrors == mirrors
    with Dataset(path) as file:
        assert file.config["boundaries"] == boundaries
