"""Files of a training that change between two runs, or while it goes on."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

from dtrain.weights import load_model
from runkit.errors import UserError
from tools.faults.kinds.damage import cut, flip
from tools.faults.kinds.events import fills_up, put_in_the_way, read_only, take_away
from tools.faults.trial import TRAININGS, Bad, Trial, fault


def begun(trial: Trial) -> list[Path]:
    """A training that was killed after a checkpoint; the files of the checkpoint."""
    run = trial.start()
    while not (trial.folder / "run/checkpoint/latest").exists() and run.during(0.01):
        pass
    run.during(trial.moment(high=0.1))
    run.send(9)
    trial.end(run, [9])
    return sorted(path for path in trial.folder.glob("run/checkpoint/**/*") if path.is_file())


def _of_checkpoint(trial: Trial, harm: Callable[[Path, Trial], None]) -> None:
    """A file of the checkpoint of a training that has begun suffers harm, and it is run to its end."""
    files = begun(trial)
    if files:
        harm(trial.random.choice(files), trial)
    trial.complete()


@fault("a bit of a checkpoint of a training", 6, TRAININGS)
def bit_of_checkpoint(trial: Trial) -> None:
    _of_checkpoint(trial, flip)


@fault("a checkpoint of a training is cut", 3, TRAININGS)
def checkpoint_is_cut(trial: Trial) -> None:
    _of_checkpoint(trial, cut)


@fault("a bit of what a training has noted", 5, TRAININGS)
def bit_of_note(trial: Trial) -> None:
    begun(trial)
    name = trial.random.choice(["recipe.toml", "ds_config.json", "data.json", "training.csv", "validation.csv"])
    path = trial.folder / "run" / name
    if path.exists():
        flip(path, trial)
    trial.complete()


@fault("a bit of trained weights", 6, TRAININGS)
def bit_of_weights(trial: Trial) -> None:
    path = trial.folder / "model.safetensors"
    shutil.copy(trial.target.folder / "run/model.safetensors", path)
    flip(path, trial)
    wanted = load_model(trial.target.folder / "run")
    try:
        found = load_model(path)
    except UserError as error:
        trial.note(str(error))
        return
    weights = found.network.state_dict()
    is_same = all(value.equal(weights[name]) for name, value in wanted.network.state_dict().items())
    if not is_same or (found.recipe, found.normalisation) != (wanted.recipe, wanted.normalisation):
        raise Bad("wrong", "changed weights are loaded without a word")


@fault("a bit of the data of a training", 3, TRAININGS)
def bit_of_data(trial: Trial) -> None:
    begun(trial)
    flip(trial.folder / "data.h5", trial)
    end = trial.end(trial.start())
    assert trial.target.data is not None
    shutil.copy(trial.target.data, trial.folder / "data.h5")
    if end.code == 0:
        raise Bad("wrong", "a training went on with other data")
    trial.complete()


@fault("kept pairs are damaged", 4, ("dtrain-glass",))
def pairs(trial: Trial) -> None:
    trial.end(trial.start("phase.one.epochs=1", "name=other"))
    kept = sorted(trial.folder.glob("data.h5.pairs/*.npz"))
    if not kept:
        raise Bad("unclear", "no pairs were kept")
    for path in kept:
        (flip if trial.random.random() < 0.7 else cut)(path, trial)
    trial.complete()


@fault("the folder of a training deleted or renamed in mid-run", 3, TRAININGS)
def folder_goes(trial: Trial) -> None:
    run = trial.start()
    folder = trial.folder / "run"
    while not folder.exists() and run.during(0.01):
        pass
    if run.during(trial.moment(high=0.6)) and folder.exists():
        if trial.random.random() < 0.5:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            folder.rename(trial.folder / "elsewhere")
    trial.end(run)
    trial.complete()


@fault("a folder in which another training runs", 2, TRAININGS)
def locked(trial: Trial) -> None:
    (trial.folder / "run").mkdir()
    with open(trial.folder / "run/run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        trial.refused(trial.start())
    trial.complete()


@fault("the disk of a training fills up", 4, TRAININGS)
def disk(trial: Trial) -> None:
    fills_up(trial, (16, 100, 300, 4096))


@fault("the folder of a training may only be read", 2, TRAININGS)
def folder_is_read_only(trial: Trial) -> None:
    read_only(trial)


@fault("something else in the place of a file of a training", 6, TRAININGS)
def in_the_way(trial: Trial) -> None:
    names = ["run.lock", "recipe.toml", "data.json", "training.csv", "checkpoint", "model.safetensors", "summary.json"]
    path = put_in_the_way(trial, f"run/{trial.random.choice(names)}")
    end = trial.end(trial.start())
    take_away(path)
    if end.code == 0 and trial.unfinished().exists():
        trial.compare()
        return
    trial.complete()


@fault("no data where a training looks for them", 2, TRAININGS)
def no_data(trial: Trial) -> None:
    (trial.folder / "data.h5").unlink()
    path = put_in_the_way(trial, "data.h5")
    trial.refused(trial.start())
    take_away(path)
    assert trial.target.data is not None
    shutil.copy(trial.target.data, trial.folder / "data.h5")
    trial.complete()
