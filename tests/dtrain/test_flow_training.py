"""The flow CNN end to end: trained by two processes, resumed, scored, rolled out into files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dtrain import evaluate, predict, train
from dtrain.data.clips import Clips, rollout
from dtrain.data.flow import Flow
from dtrain.flow import rollouts
from dtrain.flow_metrics import variance_error
from dtrain.weights import about_model, load_model
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from tests.dtrain.conftest import TINY_FLOW, call_here, curve, on_two, settings_of, train_here, trained_here

RECIPE = (
    TINY_FLOW
    + """
[phase.frames]
epochs = 12
learning_rate = 1e-2
decay = "cosine"

[phase.rollout]
epochs = 2
learning_rate = 1e-3
data = { unroll = 2, through = true, noise = 0.02, free = { calls = 2, window = 2 } }
loss = { gradient = 2.0 }
"""
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory, flow_file) -> tuple[object, ...]:
    return settings_of(tmp_path_factory.mktemp("recipe"), RECIPE, flow_file)


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory) -> Path:
    """The folder of a run of one process."""
    return trained_here(tmp_path_factory.mktemp("alone"), *settings)


@pytest.fixture(scope="module")
def scored(run) -> dict:
    """What an evaluation of one process says; its files lie in a folder "scored" of the run."""
    score(run, f"output={run / 'scored'}", "threads=1")
    return json.loads((run / "scored/evaluation.json").read_text())


def score(*words: object, program=evaluate.main) -> None:
    """The program, in this process."""
    call_here(program, *words)


def test_training_learns_to_roll_out_better_than_repeating_the_last_frame(run, scored):
    losses = [float(row["loss"]) for row in curve(run) if row["phase"] == "frames"]
    assert losses[-1] < 0.2 * losses[0]
    about = about_model(run / "model.safetensors")
    scores = {int(row["step"]): float(row["vrmse"]) for row in curve(run, "validation") if row["phase"] == "rollout"}
    assert about["phase"] == "rollout" and scores[about["step"]] == min(scores.values())
    ours, persistence = (row["frames"]["vrmse"] for row in scored["rows"][:2])
    assert np.mean(ours) < 0.7 * np.mean(persistence)


def test_two_processes_train_as_one_does(run, settings, tmp_path):
    """Batch statistics are those of both, and so are the curves, to rounding."""
    output = on_two(train.main, tmp_path, *settings)
    assert "finished" in output, output
    for name in ("training", "validation"):
        rows, others = (curve(folder, name) for folder in (run, tmp_path / "runs/tiny"))
        assert [row["step"] for row in rows] == [row["step"] for row in others]
        for row, other in list(zip(rows, others, strict=True))[:20]:
            assert float(other["loss"]) == pytest.approx(float(row["loss"]), rel=1e-3)


def test_a_resumed_run_repeats_an_undisturbed_one_exactly(run, settings, tmp_path):
    """Also the statistics of the normalisation, which are no parameters."""
    _, output = train_here(tmp_path, *settings, "minutes=0.001")
    assert "the same command goes on" in output
    train_here(tmp_path, *settings)
    assert (tmp_path / "runs/tiny/training.csv").read_text() == (run / "training.csv").read_text()
    ours, theirs = (load_model(folder).network.state_dict() for folder in (tmp_path / "runs/tiny", run))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_scores_are_those_of_rollouts_of_cases_held_back(run, scored, flow_file):
    """The reported error, computed again from weights and file."""
    trained = load_model(run)
    data = Flow(trained.options, normalisation=trained.normalisation)
    assert scored["cases"] == data.cases["test"] and scored["n_frames"] == 9 and scored["n_train"] == 4
    (case,) = scored["cases"]
    with torch.no_grad():
        found = rollout(trained.network, Clips.stack([data.clip(case, 0, 0)]), 9)[0].numpy()
    found = data.normalisation.denormalised(found)
    wanted = variance_error(found, data.frames(case, 3), data.fluid(case))
    for i, name in enumerate(("density", "velocity_x", "velocity_y")):
        assert scored["rows"][0]["frames"][name] == pytest.approx(wanted[i], rel=1e-4)
    with Dataset(run / "scored/evaluation.h5") as file:
        velocity = np.where(data.fluid(case), found[1], 0)
        np.testing.assert_allclose(file["t1_fields/velocity"][0, 3:, ..., 0], velocity, atol=1e-6)
        assert np.array_equal(file["t0_fields/density"][0, :3], data.frames(case, 0, 3)[0])


def test_rivals_and_the_simulation_itself_stand_beside_the_network(scored):
    names = [row["name"] for row in scored["rows"]]
    assert names == ["flow-cnn", "persistence", "mean field", "simulation"]
    assert scored["rows"][3]["mean"]["vrmse"] == 0 and scored["rows"][3]["mean"]["correlation_time"] == 9
    assert 0.5 < scored["rows"][2]["mean"]["velocity_y"] < 1.5
    assert scored["seconds_per_frame"] > 0
    for row in scored["rows"]:
        assert all(len(values) == 9 for values in row["frames"].values())


def test_scores_do_not_depend_on_the_number_of_processes(run, tmp_path):
    words = (run, "part=all", "threads=1", "frames=4")
    text = on_two(evaluate.main, tmp_path, *words, f"output={tmp_path}")
    assert "6 all cases, 4 frames rolled out from 3 given (100 steps apart); 4 cases to train on" in text
    score(*words, f"output={run / 'all'}")
    one, two = (curve(folder, "evaluation") for folder in (run / "all", tmp_path))
    assert len(one) == 16 and [float(row["vrmse"]) for row in two] == pytest.approx([float(r["vrmse"]) for r in one])
    assert check(tmp_path / "evaluation.h5").good


def test_a_prediction_goes_on_beyond_the_end_of_the_file(run, flow_file, tmp_path):
    path = tmp_path / "p.h5"
    score(run, flow_file, f"output={path}", "start=8", "frames=14", program=predict.main)
    assert check(path).good, str(check(path))
    with Dataset(path) as file, Dataset(flow_file) as source:
        assert file["case"][:].tolist() == list(range(6)) and file["n_given"][:].tolist() == [3] * 6
        assert file["dimensions/time"][:].tolist() == [1800 + 100 * k for k in range(17)]
        assert np.array_equal(file["t1_fields/velocity"][:, :3], source["t1_fields/velocity"][:, 8:11])
        solid = source["t0_fields/fluid_fraction"][2] == 0
        assert (file["t0_fields/density"][2][:, solid] == 1).all()
        assert not file["t1_fields/velocity"][2][:, solid].any()


def test_cases_are_predicted_side_by_side_in_the_same_groups_for_any_number_of_processes(run, flow_file, tmp_path):
    """They follow from the cases alone; what a network says of a case is what it says of it by itself."""
    score(run, flow_file, f"output={tmp_path / 'one.h5'}", "frames=6", program=predict.main)
    trained = load_model(run)
    data = Flow(trained.options, trained.recipe.seed, trained.normalisation)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert rollouts.side_by_side(data, range(6), 6, cpu) == [[0, 1, 2, 3], [4, 5]]
    assert rollouts.side_by_side(data, range(6), 6, gpu) == [[0, 1, 2, 3, 4, 5]]
    assert rollouts.side_by_side(data, range(3), 10**6, gpu) == [[0], [1], [2]]
    predictor = rollouts.CasePredictor(trained, data)
    alone, beside = predictor(5, 0, 6), predictor.together([4, 5], 0, 6)[1]
    np.testing.assert_allclose(alone, beside, atol=1e-6)
    with Dataset(tmp_path / "one.h5") as file:
        np.testing.assert_allclose(file["t0_fields/density"][5, 3:], alone[0], atol=1e-6)
        np.testing.assert_allclose(file["t1_fields/velocity"][5, 3:, ..., 1], alone[2], atol=1e-6)


def test_products_in_bfloat16_change_a_prediction_by_their_digits_alone(run, flow_file, tmp_path):
    found = {}
    for precision in ("float32", "bfloat16"):
        path = tmp_path / f"{precision}.h5"
        score(run, flow_file, f"output={path}", "frames=6", f"precision={precision}", program=predict.main)
        with Dataset(path) as file:
            found[precision] = file["t1_fields/velocity"][:, 3:]
    error = np.abs(found["bfloat16"] - found["float32"]).max()
    assert 0 < error < 0.02 * np.abs(found["float32"]).max()


def test_the_well_reads_a_prediction(run, flow_file, tmp_path):
    from the_well.data import WellDataset

    score(run, flow_file, f"output={tmp_path / 'p.h5'}", program=predict.main)
    well = WellDataset(path=str(tmp_path), n_steps_input=3, n_steps_output=1, use_normalization=False)
    assert well.metadata.n_trajectories_per_file == [6] and well.metadata.spatial_resolution == (16, 16)
    with Dataset(tmp_path / "p.h5") as file:
        frames = well[0]["input_fields"].numpy()
        assert np.array_equal(frames[..., 0], file["t0_fields/density"][0, :3])
        assert np.array_equal(frames[..., 1:], file["t1_fields/velocity"][0, :3])


def test_all_runs_of_a_campaign_are_scored_together(settings, tmp_path):
    recipe, *words = settings
    grid = '\n[campaign.grid]\n"model.parameters.skip" = [false, true]\n"loss.gradient" = [0.0, 1.0]\n'
    (tmp_path / "study.toml").write_text(recipe.read_text().replace("widths", "skip = true, widths") + grid)
    short = ("name=study", "phase.frames.epochs=0.5", "phase.rollout.epochs=0.2")
    assert train_here(tmp_path, tmp_path / "study.toml", *words, *short)[0] == 0
    score(tmp_path / "runs/study", "threads=1", "frames=2")
    rows = curve(tmp_path / "runs/study", "scores")
    names = [f"skip{skip}_gradient{weight}" for skip in (False, True) for weight in ("0.0", "1.0")]
    assert [row["run"] for row in rows] == names and len({row["vrmse"] for row in rows}) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["part=outside"], "no case is in part 'outside'"),
        (["frames=10"], "frames = 10: 9 frames follow those that are given"),
        (["start=10"], "start = 10:"),
        (["time=1"], "unknown key 'time'"),
    ],
)
def test_mistakes_are_one_line(run, capsys, words, told):
    with pytest.raises(SystemExit) as end:
        score(run, *words)
    error = capsys.readouterr().err
    assert end.value.code == 2 and told in error and error.count("\n") == 1
