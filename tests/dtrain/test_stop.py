"""A training that has to end: all processes learn of it, save, and end in time; going on gives the same weights."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from dtrain import clock, ranks, train
from dtrain.tasks import EvaluateOptions, PredictOptions
from runkit.stop import NOTE, UNFINISHED
from tests.dtrain.conftest import ROOT, begin_on, finish, on_two, start, train_here
from tests.flow_factory import FLOW_RECIPE, write_flow
from tests.stops import IN_TIME, Warned

# 588 steps, enough for a signal to come amid them, and a validation after every 98.
RECIPE = "validate_every = 7\n" + FLOW_RECIPE.replace("epochs = 1\n", "epochs = 42\n").replace(
    "log_every = 1\n", "log_every = 10\n"
)


@pytest.fixture(scope="module")
def flow(tmp_path_factory) -> Path:
    return write_flow(tmp_path_factory.mktemp("data") / "flow.h5")


@pytest.fixture
def folder(flow, tmp_path) -> Path:
    """A folder with RECIPE on the file of flow."""
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("flow.h5", str(flow)))
    return tmp_path


@pytest.fixture(scope="module")
def whole(flow, tmp_path_factory) -> dict[int, dict[str, bytes]]:
    """The weights of undisturbed runs of one and of two processes."""
    found = {}
    for n in (1, 2):
        folder = tmp_path_factory.mktemp(f"whole{n}")
        (folder / "recipe.toml").write_text(RECIPE.replace("flow.h5", str(flow)))
        code, output = train_here(folder, "recipe.toml") if n == 1 else (0, on_two(train.main, folder, "recipe.toml"))
        assert code == 0 and "finished" in output, output
        found[n] = weights(folder)
    return found


def weights(folder: Path) -> dict[str, bytes]:
    """Every array of the network, to the last bit."""
    return {name: value.numpy().tobytes() for name, value in load_file(folder / "runs/run/model.safetensors").items()}


def wait_until_it_trains(folder: Path) -> None:
    """Until a row of the curve is written."""
    curve, deadline = folder / "runs/run/training.csv", time.monotonic() + 120
    while not curve.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert curve.exists(), (folder / "printed").read_text() if (folder / "printed").exists() else ""


@pytest.mark.parametrize(("number", "warned"), [(signal.SIGUSR2, [1]), (signal.SIGTERM, [0, 1])])
def test_a_warned_training_ends_in_time_and_goes_on_to_the_same_weights(folder, whole, number, warned):
    """One process or both get the signal: both save and end; the last one says that the run is unfinished."""
    processes = begin_on(2, train.main, folder, "recipe.toml")
    wait_until_it_trains(folder)
    for rank in warned:
        os.kill(processes[rank].pid, number)
    for process in processes:
        process.join(IN_TIME)
    printed = (folder / "printed").read_text()
    assert [process.exitcode for process in processes] == [UNFINISHED, 0], printed
    assert int(re.findall(r"unfinished: .*; (\d+) pieces", printed)[0]) > 0 and "Traceback" not in printed
    assert "goes on after step" in on_two(train.main, folder, "recipe.toml")
    assert weights(folder) == whole[2]


def test_a_training_that_is_ended_again_and_again_is_done_at_last(folder, whole, monkeypatch):
    """It stops after any step, before and amid a validation, and always makes progress."""
    monkeypatch.setattr(clock, "AGREE_SECONDS", 0.0)
    monkeypatch.setenv(NOTE, str(folder / "note"))
    warned, code, n_jobs, stood_at = Warned(monkeypatch), UNFINISHED, 0, []
    while code == UNFINISHED:
        warned.n_places = (0, 96, 0, 49, 100, 1, 10_000)[n_jobs]
        code, output = train_here(folder, "recipe.toml")
        n_jobs += 1
        stood_at.append((folder / "runs/run/checkpoint/latest").read_text())
        assert code == 0 or int((folder / "note").read_text()) >= 0, output
    assert code == 0 and n_jobs > 4
    assert stood_at.count("step00000098-unscored") == 2  # before its validation, and amid it
    assert weights(folder) == whole[1]


def test_a_signal_to_the_launcher_of_deepspeed_loses_nothing(folder, whole):
    """It passes SIGTERM on to one process after another, and kills those that take more than 30 seconds."""
    process = start("deepspeed", folder, "recipe.toml")
    wait_until_it_trains(folder)
    (launcher,) = [
        child for child in psutil.Process(process.pid).children() if "deepspeed.launcher.launch" in child.cmdline()
    ]
    launcher.send_signal(signal.SIGTERM)
    printed = finish(process, timeout=2 * IN_TIME)
    assert "unfinished: SIGTERM" in printed, printed
    assert "goes on after step" in on_two(train.main, folder, "recipe.toml")
    assert weights(folder) == whole[2]


def test_a_signal_to_mpiexec_reaches_the_training_which_saves_and_ends_with_its_code(mpiexec, folder, whole):
    """MPICH's passes SIGTERM on to all ranks, and ends with their code."""
    process = mpiexec.start(2, ROOT / "dtrain/train.py", "recipe.toml", env={"DS_ACCELERATOR": "cpu"})
    wait_until_it_trains(folder)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=2 * IN_TIME)
    assert process.returncode == UNFINISHED, out + err
    assert "unfinished: SIGTERM" in out and "Traceback" not in err, out + err
    assert "goes on after step" in on_two(train.main, folder, "recipe.toml")
    assert weights(folder) == whole[2]


def test_all_groups_of_a_campaign_end_when_one_process_is_warned(folder):
    words = ("recipe.toml", "campaign.grid.seed=[1, 2, 3]", "phase.one.epochs=2000")
    processes = begin_on(2, train.main, folder, *words)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("runs/run/*/training.csv"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(processes[1].pid, signal.SIGUSR1)
    for process in processes:
        process.join(IN_TIME)
    printed = (folder / "printed").read_text()
    assert [process.exitcode for process in processes] == [UNFINISHED, 0], printed
    assert printed.count("the same command goes on") == 3, printed


def _at_work(words: Sequence[str]) -> None:
    """An evaluation or a prediction that is at work for a minute."""
    name, *_ = words
    program = import_module(f"dtrain.{name}")

    def work(*_: object, **__: object) -> None:
        print("at work", flush=True)
        time.sleep(60)

    ranks.connect = work  # type: ignore[assignment]
    options = {"evaluate": EvaluateOptions(run="run"), "predict": PredictOptions(model="run", file="file")}[name]
    getattr(program, name)(options)


@pytest.mark.parametrize(
    ("name", "called", "number"),
    [("evaluate", "the evaluation", signal.SIGUSR1), ("predict", "the prediction", signal.SIGXCPU)],
)
def test_what_saves_nothing_on_its_way_says_so_and_ends_at_once_when_it_is_warned(name, called, number, tmp_path):
    (process,) = begin_on(1, _at_work, tmp_path, name)
    (tmp_path / "printed").touch()
    while "at work" not in (tmp_path / "printed").read_text():
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.join(10)
    printed = (tmp_path / "printed").read_text()
    expected = f"error: {number.name}: {called} is unfinished; the same command begins it anew"
    assert process.exitcode == UNFINISHED and printed.splitlines() == ["at work", expected]
