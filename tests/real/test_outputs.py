"""No program replaces what it reads or what it did not write: a table of outputs that stay as they were."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dtrain import evaluate, predict
from runkit.cli import run_program
from runkit.config import load
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.folders import MARK, make_own_folder
from runkit.mpi import SerialWorld
from runkit.outputs import require_replaceable, written_whole
from tests.dtrain.conftest import train_here
from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig
from tools import export_botan, export_extxyz, fingerprints
from tools.drawing.picture import KINDS, Picture, save

SMALL = ("data.time=1", "model.parameters.rounds=1", "phase.joint.epochs=1", "device=cpu", "threads=1")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with two datasets, one of flow, and a trained run."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("a.h5", "b.h5"):
        write_isoconfig(folder / name, n_samples=4)
    write_flow(folder / "flow.h5")
    code, printed = train_here(folder, "data.file=a.h5", "name=run", *SMALL)
    assert code == 0, printed
    return folder


def refused(main, *words: str, capsys) -> str:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    told = capsys.readouterr().err
    assert end.value.code == 2 and told.startswith("error: ") and told.count("\n") == 1, told
    return told


def export(tool: ModuleType) -> Callable[[list[str]], None]:
    """The program of an exporter, in this process."""
    return program_of(tool.Export, tool.export, ("file", "output"))


def program_of(options: Any, work: Any, positional: tuple[str, ...]) -> Callable[[list[str]], None]:
    return lambda words: run_program("export", options, work, arguments=list(map(str, words)), positional=positional)


@pytest.mark.parametrize("output", ["a.h5", "b.h5", "flow.h5", "link.h5", "run", "runs/run/model.safetensors"])
def test_predictions_never_replace_a_dataset_or_weights(folder, capsys, output):
    (folder / "link.h5").symlink_to("a.h5")
    (folder / "run").mkdir()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    refused(predict.main, "runs/run", "a.h5", f"output={output}", "device=cpu", "threads=1", capsys=capsys)
    assert {path: path.read_bytes() for path in before} == before


def test_an_evaluation_leaves_files_of_its_names_that_are_not_its_own(folder, capsys):
    for name in ("evaluation.json", "evaluation.csv", "evaluation.h5"):
        place = folder / name.replace(".", "_")
        place.mkdir()
        (place / name).write_text("mine")
        words = ("runs/run", "part=train", "rival=false", "device=cpu", "threads=1", f"output={place}")
        told = refused(evaluate.main, *words, capsys=capsys)
        assert name in told and (place / name).read_text() == "mine"


def test_a_recipe_written_by_hand_in_the_folder_of_its_run_stays(folder):
    hand = folder / "runs/mine/recipe.toml"
    hand.parent.mkdir()
    hand.write_text('# mine\nname = "mine"\n[data]\nfile = "a.h5"\n[phase.joint]\nepochs = 1\nlearning_rate = 1e-3\n')
    before = hand.read_text()
    code, printed = train_here(folder, hand, *SMALL)
    assert code == 2 and "not a file of this program" in printed and hand.read_text() == before


@pytest.mark.parametrize("output", ["b.h5", "a.h5", "notes.xyz", "other.xyz"])
def test_an_exported_sample_replaces_only_an_exported_sample(folder, output, capsys):
    (folder / "notes.xyz").write_text("my notes\n")
    (folder / "other.xyz").write_text('1\nLattice="1 0 0 0 1 0 0 0 1" Properties=species:S:1:pos:R:3\nA 0 0 0\n')
    before = (folder / output).read_bytes()
    refused(export(export_extxyz), "a.h5", output, capsys=capsys)
    assert (folder / output).read_bytes() == before
    for _ in range(2):
        export(export_extxyz)(["a.h5", "sample.xyz"])
    assert sorted(path.name for path in folder.glob(".*")) == []


def test_exported_ensembles_leave_published_files_of_their_names(folder, capsys):
    published = folder / "out/T0.50/train/isoconfig_N160T0.50_1_tc01.npz"
    published.parent.mkdir(parents=True)
    np.savez(published, types=np.zeros(3), initial_positions=np.zeros((3, 3)), positions=np.zeros((2, 3, 3)))
    before = published.read_bytes()
    refused(export(export_botan), "a.h5", "out", capsys=capsys)
    assert published.read_bytes() == before
    published.unlink()
    for _ in range(2):
        export(export_botan)(["a.h5", "out"])


def test_an_export_into_a_folder_that_cannot_be_made_is_one_line(folder, capsys):
    (folder / "file").write_text("no folder")
    refused(export(export_botan), "a.h5", "file/out", capsys=capsys)
    refused(export(export_extxyz), "a.h5", "file/x.xyz", capsys=capsys)


def test_pictures_and_their_captions_replace_only_those_of_ours(tmp_path):
    table = Picture("x", "|  | VRMSE, frame 1 |\n", "a table")
    figures = [(Picture("x", plt.figure(), "a figure"), kind) for kind in KINDS]
    for picture, kind in [*figures, (table, "png")]:
        suffix = ".md" if picture is table else f".{kind}"
        for path in (tmp_path / f"x{suffix}", tmp_path / "x.txt"):
            foreign = plt.figure().savefig if suffix != ".md" and path.suffix != ".txt" else Path.touch
            foreign(path)
            path.write_bytes(path.read_bytes() or b"mine")
            before = path.read_bytes()
            with pytest.raises(UserError, match="not a file of this program"):
                save(picture, tmp_path, kind)
            assert path.read_bytes() == before
            path.unlink()
        assert save(picture, tmp_path, kind) == tmp_path / f"x{suffix}" == save(picture, tmp_path, kind)
        assert picture.caption in (tmp_path / "x.txt").read_text()
        (tmp_path / "x.txt").unlink()


def test_a_folder_of_our_own_files_is_new_or_was_made_by_us(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine").write_text("mine")
    with pytest.raises(UserError, match="data is a folder with other things"):
        make_own_folder(tmp_path / "data")
    for _ in range(2):
        make_own_folder(tmp_path / "new")
        (tmp_path / "new/ours").touch()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["mine"]
    for name in ("data/mine", "data/mine/deeper", "n" * 300):
        with pytest.raises(UserError, match="cannot be made"):
            make_own_folder(tmp_path / name)
    (tmp_path / "new" / MARK).unlink()
    with pytest.raises(UserError, match="new is a folder with other things"):
        make_own_folder(tmp_path / "new")


def test_fingerprints_replace_only_fingerprints(tmp_path, capsys, monkeypatch):
    file = tmp_path / "mine.json"
    file.write_text('{"my": "numbers"}')
    refused(program_of(fingerprints.Options, fingerprints.main, ("action", "file")), "record", file, capsys=capsys)
    assert file.read_text() == '{"my": "numbers"}'
    monkeypatch.setattr(fingerprints, "record", lambda: {"a run": {"field": "0" * 64}})
    for _ in range(2):
        assert fingerprints.main(fingerprints.Options(action="record", file=str(tmp_path / "new.json"))) == 0


def test_a_training_leaves_a_summary_and_folders_that_are_not_its_own(folder):
    """A summary of something else is no finished run; among checkpoints only those are deleted."""
    run = folder / "runs/mine"
    run.mkdir()
    (run / "summary.json").write_text('{"my": "summary"}')
    code, printed = train_here(folder, "data.file=a.h5", "name=mine", *SMALL)
    assert code == 2 and "summary.json is not a file of this program" in printed, printed
    (run / "summary.json").unlink()
    (run / "checkpoint/notes").mkdir(parents=True)
    code, printed = train_here(folder, "data.file=a.h5", "name=mine", *SMALL)
    assert code == 0 and (run / "checkpoint/notes").is_dir(), printed


ELSEWHERE = [
    "a.h5",
    "notes.txt",
    "pipe.h5",
    "x.part",
    "n" * 300,
    "n" * 250,
    "d",
    "a.h5/x.h5",
    "a\0b",
    "busy.h5",
    ".",
    "/",
]


@pytest.mark.parametrize("program", ["mdgen", "lbmgen"])
@pytest.mark.parametrize("output", ELSEWHERE, ids=lambda output: repr(output[:12]))
def test_generators_write_over_nothing_and_make_only_what_can_be_named(folder, program, output):
    (folder / "notes.txt").write_text("my notes")
    (folder / "d").mkdir()
    (folder / "busy.h5.checkpoints").write_text("in the way")
    os.mkfifo(folder / "pipe.h5")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    tables = {"mdgen": {"production": {"n_samples": 1, "times": [0.1]}}, "lbmgen": {"n_cases": 1}}[program]
    case = load(import_module(f"{program}.config").RunConfig, None, [{"output": output, **tables}])
    with pytest.raises(UserError):
        import_module(f"{program}.run").generate(SerialWorld(), case)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["pipe.h5", "pipe.h5.part"])
def test_a_pipe_is_refused_by_readers_too_instead_of_waiting_for_ever(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="is a pipe"):
        Dataset(tmp_path / name, unfinished=True).file  # noqa: B018


@pytest.mark.parametrize(("problem", "matters"), [(errno.EINVAL, False), (errno.EACCES, False), (errno.EIO, True)])
def test_a_file_is_written_in_a_folder_that_cannot_be_synced_but_not_on_a_disk_that_fails(
    tmp_path, monkeypatch, problem, matters
):
    real = os.fsync

    def sync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(problem, os.strerror(problem))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    expected = pytest.raises(UserError, match="cannot be written") if matters else nullcontext()
    with expected, written_whole(tmp_path / "x.txt") as beside:
        beside.write_text("whole")
    assert (tmp_path / "x.txt").read_text() == "whole"


def test_nothing_is_left_of_a_file_that_could_not_be_written_whole(tmp_path):
    with pytest.raises(ValueError, match="half"), written_whole(tmp_path / "x.txt") as beside:
        beside.write_text("half")
        raise ValueError("half")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="none"), written_whole(tmp_path / "none/x.txt"):
        pass


def test_an_empty_file_may_be_replaced_and_a_broken_link_too(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "broken").symlink_to("nowhere")
    require_replaceable(tmp_path / "empty")
    require_replaceable(tmp_path / "broken")
