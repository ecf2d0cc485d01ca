"""Training end to end, through the launchers: resumption, killed processes, campaigns."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from dtrain import train
from dtrain.weights import about_model, load_model
from tests.dtrain.conftest import curve, finish, on_two, start, train_here
from tests.flow_factory import write_flow

SMALL = ("threads=1", "log_every=1", "data.positions=thermal", "model.parameters.rounds=2", "validate_every=5")


@pytest.fixture(scope="module")
def settings(isoconfig) -> tuple[str, ...]:
    return (
        f"data.file={isoconfig}",
        "data.time=1",
        *SMALL,
        "phase.joint.epochs=20",
        "phase.joint.learning_rate=0.003",
        "loss.p=0.7",
    )


@pytest.fixture(scope="module")
def uninterrupted(settings, tmp_path_factory) -> Path:
    """The run of one process that nothing disturbed."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    code, output = train_here(directory, *settings)
    assert code == 0, output
    assert "GFLOP per sample; memory: " in output and "% of the speed of matrix products" in output
    return directory / "runs/botan"


@pytest.fixture(scope="module")
def killed(settings, tmp_path_factory) -> tuple[Path, int]:
    """A folder with the run of two processes with one killed after a checkpoint, and the launcher's exit code."""
    directory = tmp_path_factory.mktemp("killed")
    process = start("deepspeed", directory, *settings)
    checkpoint = directory / "runs/botan/checkpoint/latest"
    deadline = time.monotonic() + 150
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # so that there are steps after the checkpoint
    process_of_rank(process, 1).kill()
    output = finish(process)
    assert checkpoint.exists(), output
    assert not (directory / "runs/botan/summary.json").exists(), "the run was over before it could be killed"
    return directory, process.returncode


def process_of_rank(launcher: subprocess.Popen[str], rank: int) -> psutil.Process:
    below = psutil.Process(launcher.pid).children(recursive=True)
    return next(
        child
        for child in below
        if f"--local_rank={rank}" in child.cmdline() and "train.py" in " ".join(child.cmdline())
    )


def assert_same_curves(run: Path, other: Path) -> None:
    """Equal to rounding: sums over processes are taken in another order than sums over samples."""
    for name in ("training", "validation"):
        rows, others = curve(run, name), curve(other, name)
        assert [row["step"] for row in rows] == [row["step"] for row in others]
        for row, another in zip(rows, others, strict=True):
            assert float(row["loss"]) == pytest.approx(float(another["loss"]), rel=1e-5)


def test_training_learns_and_keeps_the_best_weights(uninterrupted):
    losses = [float(row["loss"]) for row in curve(uninterrupted)]
    assert len(losses) == 80 and sum(losses[-10:]) < 0.9 * sum(losses[:10])
    scores = {int(row["step"]): float(row["rho_node"]) for row in curve(uninterrupted, "validation")}
    assert scores[about_model(uninterrupted / "model.safetensors")["step"]] == max(scores.values()) > 0.3
    assert load_model(uninterrupted).recipe.phase["joint"].epochs == 20


def test_a_killed_process_ends_the_job_with_an_error(killed):
    assert killed[1] not in (0, None)


def test_a_killed_run_goes_on_to_the_curve_of_an_undisturbed_one(killed, settings, uninterrupted, tmp_path):
    shutil.copytree(killed[0], tmp_path, dirs_exist_ok=True)
    output = on_two(train.main, tmp_path, *settings)
    assert "goes on after step" in output and "finished" in output
    assert_same_curves(tmp_path / "runs/botan", uninterrupted)
    assert [path.name for path in (tmp_path / "runs/botan/checkpoint").iterdir() if path.is_dir()] == ["step00000080"]


def test_a_run_of_two_processes_goes_on_with_one(killed, settings, uninterrupted, tmp_path):
    shutil.copytree(killed[0], tmp_path, dirs_exist_ok=True)
    _, output = train_here(tmp_path, *settings)
    assert "goes on after step" in output and "finished" in output
    assert_same_curves(tmp_path / "runs/botan", uninterrupted)


def test_a_resumed_run_repeats_the_losses_of_an_undisturbed_one_exactly(settings, uninterrupted, tmp_path):
    (tmp_path / "runs").mkdir()
    _, output = train_here(tmp_path, *settings, "minutes=0.01")
    assert "the same command goes on" in output
    assert 0 < len(curve(tmp_path / "runs/botan")) < 80
    train_here(tmp_path, *settings)
    for name in ("training.csv", "validation.csv"):
        assert (tmp_path / "runs/botan" / name).read_text() == (uninterrupted / name).read_text()


def test_a_folder_of_another_recipe_is_refused_and_its_keys_are_named(uninterrupted, settings):
    code, output = train_here(uninterrupted.parents[1], *settings, "loss.p=0.9", "seed=5")
    assert code == 2
    assert "loss.p (there 0.7, now 0.9)" in output and "seed (there 1, now 5)" in output
    assert len([line for line in output.splitlines() if "error:" in line]) == 1


@pytest.mark.parametrize("name", ["recipe.toml", "ds_config.json"])
def test_a_note_that_is_damaged_is_not_taken_for_another_recipe(uninterrupted, settings, tmp_path, name):
    shutil.copytree(uninterrupted, tmp_path / "runs/botan")
    note = tmp_path / "runs/botan" / name
    text = note.read_text()
    note.write_text(text.replace("1", "7", 1))
    code, output = train_here(tmp_path, *settings)
    assert code == 2 and f"error: runs/botan/{name} is damaged" in output and "another recipe" not in output
    note.unlink()
    assert train_here(tmp_path, *settings)[0] == 0 and note.read_text() == text


def test_phases_follow_each_other_each_with_its_own_data_and_loss(isoconfig, tmp_path):
    recipe = tmp_path / "two.toml"
    recipe.write_text(
        'name = "two"\n[phase.edges]\nepochs = 10\nlearning_rate = 1e-30\npatience = 2\n'
        "data = { time = 0 }\nloss = { p = 0.0 }\n[phase.joint]\nepochs = 2\nlearning_rate = 1e-3\n"
    )
    _, output = train_here(tmp_path, recipe, f"data.file={isoconfig}", "data.time=1", *SMALL, "validate_every=1")
    rows = curve(tmp_path / "runs/two")
    edges, joint = ([row for row in rows if row["phase"] == name] for name in ("edges", "joint"))
    assert len(edges) == 3 * 8, "weights that do not change are best at first; two more validations end the phase"
    assert all(row["loss"] == row["edge_loss"] for row in edges)
    assert [int(row["step"]) for row in joint] == list(range(25, 41))
    assert all(row["loss"] != row["edge_loss"] for row in joint)
    assert about_model(tmp_path / "runs/two/model.safetensors")["phase"] == "joint", output


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_key_to_change(settings, tmp_path):
    code, output = train_here(tmp_path, *settings, "phase.joint.learning_rate=1e30")
    assert code == 2
    assert "the loss is" in output and "lower phase.joint.learning_rate (now 1e+30)" in output
    assert not (tmp_path / "runs/botan/checkpoint").exists()


def test_a_run_that_kept_nothing_before_it_failed_is_begun_anew_by_a_mended_recipe(settings, uninterrupted, tmp_path):
    """The wrong file, then a rate that is too high, then what is right: its curve has nothing of the others."""
    wrong = write_flow(tmp_path / "flow.h5")
    code, output = train_here(tmp_path, *settings, f"data.file={wrong}")
    assert code == 2 and "holds FLOW data; this recipe needs ISOCONFIG" in output
    assert train_here(tmp_path, *settings, "phase.joint.learning_rate=1e30")[0] == 2
    code, output = train_here(tmp_path, *settings)
    assert code == 0, output
    assert curve(tmp_path / "runs/botan") == curve(uninterrupted)


def test_a_campaign_trains_a_run_per_combination_and_skips_finished_ones(settings, tmp_path):
    recipe = tmp_path / "study.toml"
    recipe.write_text(
        'name = "study"\n[phase.joint]\nepochs = 2\nlearning_rate = 1e-3\n'
        '[campaign.grid]\n"data.time" = [0, 1]\n"loss.p" = [0.4, 1.0]\n'
    )
    words = (recipe, settings[0], *SMALL)
    process = start("torchrun", tmp_path, *words)
    output = finish(process)
    assert process.returncode == 0, output
    table = curve(tmp_path / "runs/study", "campaign")
    assert [row["run"] for row in table] == ["time0_p0.4", "time0_p1.0", "time1_p0.4", "time1_p1.0"]
    assert "4 runs on 2 group(s) of 1 process(es)" in output
    _, again = train_here(tmp_path, *words)
    assert again.count("is finished") == 4
