"""What happens to files while a run goes on, or stands in the way of one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tools.faults.launched import disk_of, fill, remount
from tools.faults.trial import Bad, Trial, fault


def _deleted(folder: Path) -> None:
    (folder / "a.h5.part").unlink(missing_ok=True)


def _renamed(folder: Path) -> None:
    if (folder / "a.h5.part").exists():
        (folder / "a.h5.part").rename(folder / "elsewhere")


def _replaced(folder: Path) -> None:
    if (folder / "a.h5.part").exists():
        shutil.copy(folder / "a.h5.part", folder / "copy")
        os.replace(folder / "copy", folder / "a.h5.part")


def _cut(folder: Path) -> None:
    if (folder / "a.h5.part").exists():
        os.truncate(folder / "a.h5.part", 5000)


def _checkpoints_deleted(folder: Path) -> None:
    shutil.rmtree(folder / "a.h5.checkpoints", ignore_errors=True)


def _checkpoints_are_a_file(folder: Path) -> None:
    shutil.rmtree(folder / "a.h5.checkpoints", ignore_errors=True)
    if not (folder / "a.h5.checkpoints").exists():
        (folder / "a.h5.checkpoints").write_text("in the way")


def _lock_deleted(folder: Path) -> None:
    (folder / "a.h5.part.lock").unlink(missing_ok=True)


def _name_taken(folder: Path) -> None:
    if not (folder / "a.h5").exists():
        (folder / "a.h5").write_text("somebody else's")


EVENTS = (
    _deleted, _renamed, _replaced, _cut, _checkpoints_deleted, _checkpoints_are_a_file, _lock_deleted, _name_taken,
)  # fmt: skip


@fault("files deleted, renamed, replaced, cut in mid-run", 14)
def event(trial: Trial) -> None:
    what = trial.random.choice(EVENTS)
    trial.note(what.__name__.strip("_").replace("_", " "))
    run = trial.start()
    if run.during(trial.moment()):
        what(trial.folder)
    trial.end(run)
    for name in ("a.h5", "a.h5.checkpoints"):
        path = trial.folder / name
        if path.is_file() and path.stat().st_size < 20:
            path.unlink()
    trial.complete()


@fault("the folder deleted or renamed in mid-run", 3)
def folder_goes(trial: Trial) -> None:
    inner = trial.folder / "d"
    inner.mkdir()
    run = trial.start("output=d/a.h5")
    if run.during(trial.moment()):
        if trial.random.random() < 0.5:
            shutil.rmtree(inner, ignore_errors=True)
        else:
            inner.rename(trial.folder / "e")
    trial.end(run)
    shutil.rmtree(inner, ignore_errors=True)
    trial.complete()


def put_in_the_way(trial: Trial, name: str) -> Path:
    """Something that is no plain file, or a folder where a file is due."""
    kind = trial.random.choice(["folder", "pipe", "link to nothing", "device"])
    path = trial.folder / name
    path.parent.mkdir(exist_ok=True)
    trial.note(f"{name} is a {kind}")
    {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "link to nothing": lambda: path.symlink_to("nowhere"),
        "device": lambda: path.symlink_to("/dev/null"),
    }[kind]()
    return path


def take_away(path: Path) -> None:
    """Remove what was put in the way, unless the program has made what is due of it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or not path.is_file():
        path.unlink(missing_ok=True)
    (path.parent / "nowhere").unlink(missing_ok=True)


@fault("something else in the place of a file", 5)
def in_the_way(trial: Trial) -> None:
    names = ["a.h5", "a.h5.part", "a.h5.part.new", "a.h5.part.lock", "a.h5.checkpoints"]
    path = put_in_the_way(trial, trial.random.choice(names))
    end = trial.end(trial.start())
    take_away(path)
    if end.code == 0 and (trial.folder / "a.h5").exists():
        trial.compare()
        return
    trial.complete()


@fault("a disk that is too small, or fills up", 7)
def disk(trial: Trial) -> None:
    fills_up(trial, SIZES)


@fault("a disk that fills up under 2 ranks", 3)
def disk_of_ranks(trial: Trial) -> None:
    fills_up(trial, SIZES, 2)


SIZES = (64, 700, 1400, 4096)


def fills_up(trial: Trial, sizes: Sequence[int], ranks: int = 1) -> None:
    """A run on a disk of one of some sizes [kB], which is full from some moment on; then there is room."""
    size = trial.random.choice(sizes)
    trial.note(f"disk of {size} kB")
    with disk_of(trial.folder, f"{size}k") as disk:
        output = trial.target.output_in(disk.name)
        run = trial.start(output, ranks=ranks)
        if run.during(trial.moment(ranks, low=0.05)):
            fill(disk)
        trial.end(run, several=ranks > 1)
        (disk / "filler").unlink(missing_ok=True)
        remount(disk, "size=50m")
        if trial.end(trial.start(output)).code:
            raise Bad("lost", "no result, though there is room now")
        trial.compare(disk, but={"/@config", "recipe"})


@fault("a folder that may only be read", 3)
def read_only(trial: Trial) -> None:
    """Before a run, or after one that was killed."""
    with disk_of(trial.folder, "50m") as disk:
        output = trial.target.output_in(disk.name)
        if trial.random.random() < 0.5:
            run = trial.start(output)
            run.during(trial.moment())
            run.send(9)
            trial.end(run, [9])
        remount(disk, "ro")
        if not (disk / trial.target.output).exists():
            trial.refused(trial.start(output))


@fault("a file that another run writes", 3)
def locked(trial: Trial) -> None:
    with open(trial.folder / "a.h5.part.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        trial.refused(trial.start())
    trial.complete()


@fault("a second run of the same file", 3)
def second(trial: Trial) -> None:
    run = trial.start()
    if run.during(trial.moment(low=0.1, high=0.6)):
        errors = trial.folder / "second"
        trial.target.prepare(errors)
        other = trial.target.run(errors, "output=../a.h5")
        trial.end(other)
    trial.end(run)
    shutil.rmtree(trial.folder / "second", ignore_errors=True)
    trial.complete()
