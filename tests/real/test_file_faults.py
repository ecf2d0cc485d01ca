"""Files that are no files, or change under a run; folders and file systems that refuse: one line, or the same end."""

from __future__ import annotations

import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dtrain.data.glass import Glass, GlassOptions
from runkit.checkpoint import load_arrays, save_arrays
from runkit.config import flatten, load
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.isoconfig_factory import write_isoconfig

TABLES: dict[str, dict[str, Any]] = {
    "mdgen": {
        "system": {"n_particles": 160, "temperature": 1.0},
        "production": {"n_samples": 1, "n_replicas": 2, "times": [0.05, 0.1, 0.2]},
        "initial": {"melt_time": 0.1, "cooling_time": 0.1, "hold_time": 0.2},
        "checkpoint_seconds": 0,
        "device": "cpu",
    },
    "lbmgen": {
        "n_cases": 1,
        "device": "cpu",
        "checkpoint_seconds": 0,
        "grid": {"cells": [48, 32], "refinement": 1},
        "frames": {"count": 3, "every": 20, "warm_up": 0.1},
        "flow": {"reynolds": 20.0},
    },
}
PROGRAMS = list(TABLES)


class Stopped(Exception):
    """In place of a kill."""


def generate(program: str, output: Path, **keys: Any) -> None:
    case = load(import_module(f"{program}.config").RunConfig, None, [TABLES[program], {"output": str(output), **keys}])
    import_module(f"{program}.run").generate(SerialWorld(), case)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Path]:
    """A file of each generator that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    for program in PROGRAMS:
        generate(program, folder / f"{program}.h5")
    return {program: folder / f"{program}.h5" for program in PROGRAMS}


def content(path: Path) -> dict[str, bytes]:
    with h5py.File(path) as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return {name: file[name][()].tobytes() for name in names}


def stop_after_checkpoint(monkeypatch, count: int) -> None:
    """End a run as a kill would, when so many checkpoints have been written."""
    real, saved = save_arrays, []

    def save(path, **arrays):
        real(path, **arrays)
        saved.append(path)
        if len(saved) == count:
            raise Stopped

    monkeypatch.setattr("runkit.dataset.scratch.save_arrays", save)


def _other_arrays(path: Path) -> None:
    save_arrays(path, something=np.ones(3))


def _other_shape(path: Path) -> None:
    save_arrays(path, **{name: array[..., :-1] if array.ndim else array for name, array in load_arrays(path).items()})


def _not_numbers(path: Path) -> None:
    arrays = load_arrays(path)
    name = "position" if "position" in arrays else "arrived"
    arrays[name].flat[7] = np.nan
    save_arrays(path, **arrays)


def _beyond_the_end(path: Path) -> None:
    arrays = load_arrays(path)
    name = "n_blocks" if "n_blocks" in arrays else "n_rounds"
    save_arrays(path, **{**arrays, name: np.array(10**6)})


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flipped(path: Path) -> None:
    old = bytearray(path.read_bytes())
    old[len(old) // 2] ^= 16
    path.write_bytes(old)


DAMAGES = [_other_arrays, _other_shape, _not_numbers, _beyond_the_end, _truncated, _flipped]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_damaged_checkpoint_belongs_to_starts_anew_and_says_so(
    program, damage, whole, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "a.h5"
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stop_after_checkpoint(patch, 2)
        generate(program, path)
    saved = list((tmp_path / "a.h5.checkpoints").glob("*.npz"))
    assert saved
    for one in saved:
        damage(one)
    capsys.readouterr()
    generate(program, path)
    assert capsys.readouterr().out.count("is damaged") == len(saved)
    assert content(path) == content(whole[program]) and check(path).good
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_of_what_a_pending_unit_holds_is_left_in_the_file(program, whole, tmp_path, monkeypatch):
    """Somebody else has written to it: numbers, words, reasons of a failure."""
    output = tmp_path / "a.h5"
    with monkeypatch.context() as patch:
        stop_after_checkpoint(patch, 1)
        with pytest.raises(Stopped):
            generate(program, output)
    with h5py.File(f"{output}.part", "r+") as file:
        pending = {"mdgen": "sample", "lbmgen": "case"}[program]
        changed = [name for name in content(Path(f"{output}.part")) if pending in file[name].attrs.get("dims", [])[:1]]
        for name in changed:
            if file[name].attrs["unit"] != "status":
                file[name][...] = b"other" if file[name].dtype.kind == "S" else 1
    assert len(changed) > 4
    generate(program, output)
    assert content(output) == content(whole[program])


def _deleted(folder: Path) -> None:
    (folder / "a.h5.part").unlink()


def _folder_deleted(folder: Path) -> None:
    shutil.rmtree(folder)


def _folder_renamed(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def _cut(folder: Path) -> None:
    os.truncate(folder / "a.h5.part", 5000)


def _replaced(folder: Path) -> None:
    shutil.copy(folder / "a.h5.part", folder / "copy")
    os.replace(folder / "copy", folder / "a.h5.part")


def _checkpoints_are_a_file(folder: Path) -> None:
    shutil.rmtree(folder / "a.h5.checkpoints")
    (folder / "a.h5.checkpoints").write_text("in the way")


def _name_is_taken(folder: Path) -> None:
    (folder / "a.h5").write_text("somebody else's")


EVENTS = [_deleted, _folder_deleted, _folder_renamed, _cut, _replaced, _checkpoints_are_a_file, _name_is_taken]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_file_that_changes_in_mid_run_ends_it_with_one_line(program, event, tmp_path, monkeypatch):
    real, done = save_arrays, []

    def save(path, **arrays):
        real(path, **arrays)
        if not done:
            done.append(event(tmp_path / "d"))

    (tmp_path / "d").mkdir()
    with monkeypatch.context() as patch, pytest.raises(UserError):
        patch.setattr("runkit.dataset.scratch.save_arrays", save)
        generate(program, tmp_path / "d/a.h5")
    if event is _name_is_taken:
        assert (tmp_path / "d/a.h5").read_text() == "somebody else's"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", ["a.h5.part", "a.h5.part.new", "a.h5.part.lock", "a.h5.checkpoints", "a.h5"])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_in_the_place_of_one_is_refused_at_once(program, name, kind, tmp_path):
    {"folder": os.mkdir, "pipe": os.mkfifo}[kind](tmp_path / name)
    if (name, kind) == ("a.h5.checkpoints", "folder"):
        generate(program, tmp_path / "a.h5")
        return
    with pytest.raises(UserError, match=r"a\.h5"):
        generate(program, tmp_path / "a.h5")


def test_files_of_others_in_the_folder_of_checkpoints_stay(tmp_path):
    mine = tmp_path / "a.h5.checkpoints/notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    generate("lbmgen", tmp_path / "a.h5")
    assert mine.read_text() == "mine"


ATTRIBUTES = [
    ("config", "{not json"),
    ("config", "[1]"),
    ("config", 3),
    ("absent", "{}"),
    ("absent", 7),
    ("schema", 3),
    ("schema", None),
    ("schema_version", "one"),
    ("schema_version", None),
    ("schema_version", [1, 2]),
]


@pytest.mark.parametrize(("name", "value"), ATTRIBUTES, ids=str)
def test_attributes_that_are_damaged_are_named(name, value, tmp_path):
    path = write_isoconfig(tmp_path / "a.h5", n_samples=1)
    with h5py.File(path, "r+") as file:
        if value is None:
            del file.attrs[name]
        else:
            file.attrs[name] = value
    with pytest.raises(UserError, match=r"a\.h5"), Dataset(path) as file:
        assert file.config is None or file.absent or file.sizes
    assert not check(path).good


def test_a_file_without_a_field_is_named_and_does_not_pass(tmp_path):
    path = write_isoconfig(tmp_path / "a.h5", n_samples=1)
    with h5py.File(path, "r+") as file:
        del file["propensity"]
    with pytest.raises(UserError, match="field propensity"), Dataset(path) as file:
        assert file.sizes
    assert not check(path).good


def test_two_ranks_of_a_case_start_it_anew_together_where_its_checkpoint_is_damaged(
    whole, mpiexec, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stop_after_checkpoint(patch, 2)
        generate("lbmgen", tmp_path / "a.h5")
    _not_numbers(tmp_path / "a.h5.checkpoints/case-000000.npz")
    words = [f"{key}={value}" for key, value in flatten(TABLES["lbmgen"]).items()]
    done = mpiexec(2, "-m", "lbmgen", "output=a.h5", "ranks_per_case=2", *words)
    assert done.returncode == 0 and done.stdout.count("is damaged") == 1, done.stderr
    assert content(tmp_path / "a.h5") == content(whole["lbmgen"])


def test_pairs_are_found_each_time_where_they_cannot_be_kept(tmp_path):
    path = write_isoconfig(tmp_path / "a.h5", n_samples=3)
    kept = Glass(GlassOptions(file=str(path), keep_pairs=True)).structure(0)
    (folder,) = tmp_path.glob("*.pairs")
    for file in folder.iterdir():
        _truncated(file)
    again = Glass(GlassOptions(file=str(path), keep_pairs=True)).structure(0)
    shutil.rmtree(folder)
    folder.write_text("no folder")
    alone = Glass(GlassOptions(file=str(path), keep_pairs=True)).structure(0)
    assert kept.edge_index.equal(again.edge_index) and kept.edge_index.equal(alone.edge_index)
