"""Folders of trainings that are damaged, or go away meanwhile: one line and exit code 2, never a wrong continuation."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dtrain.engine import Engine
from dtrain.weights import load_model
from runkit.errors import UserError
from tests.dtrain.conftest import train_here
from tests.flow_factory import FLOW_RECIPE, write_flow

RECIPE = "validate_every = 0.2\n" + FLOW_RECIPE


class Stopped(BaseException):
    """In place of a kill."""


def after_save(action: Callable[[], None]) -> Callable:
    """`Engine.save` with something that happens after its first call."""
    real, done = Engine.save, []

    def save(self, step, state):
        real(self, step, state)
        if not done:
            done.append(True)
            action()

    return save


def stop() -> None:
    raise Stopped


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A folder with a run that was killed after its first checkpoint."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "recipe.toml").write_text(RECIPE)
    write_flow(folder / "flow.h5")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Engine, "save", after_save(stop))
        train_here(folder, "recipe.toml")
    return folder


@pytest.fixture
def folder(begun, tmp_path) -> Path:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return tmp_path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def becomes_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FILES = ["checkpoint/latest", "checkpoint/step*/*.pt", "data.json", "ds_config.json", "recipe.toml"]


def test_a_run_that_was_killed_goes_on(folder):
    code, printed = train_here(folder, "recipe.toml")
    assert code == 0 and "goes on after step" in printed


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [cut, flip, empty, pipe, becomes_folder], ids=lambda damage: damage.__name__)
def test_a_run_whose_files_are_damaged_ends_with_one_line(folder, name, damage):
    (path,) = (folder / "runs/run").glob(name)
    damage(path)
    code, printed = train_here(folder, "recipe.toml")
    assert code == 2 and printed.count("error: ") == 1, printed


def other_digit(path: Path) -> None:
    text = path.read_text()
    path.write_text(text[:-4] + ("1" if text[-4] != "1" else "2") + text[-3:])


@pytest.fixture(scope="module")
def curves(begun, tmp_path_factory) -> dict[str, bytes]:
    """The curves of the run that was killed, taken up without damage."""
    folder = tmp_path_factory.mktemp("curves")
    shutil.copytree(begun, folder, dirs_exist_ok=True)
    assert train_here(folder, "recipe.toml")[0] == 0
    return {path.name: path.read_bytes() for path in folder.glob("runs/run/*.csv")}


@pytest.mark.parametrize("damage", [cut, empty, other_digit, Path.unlink], ids=lambda damage: damage.__name__)
def test_a_curve_that_is_damaged_comes_back_from_the_checkpoint(folder, curves, damage):
    for name in curves:
        damage(folder / "runs/run" / name)
    code, printed = train_here(folder, "recipe.toml")
    assert code == 0, printed
    assert {name: (folder / "runs/run" / name).read_bytes() for name in curves} == curves


@pytest.mark.parametrize("event", ["deleted", "renamed"])
def test_a_folder_that_goes_away_in_mid_run_ends_it_with_one_line(begun, tmp_path, monkeypatch, event):
    for name in ("recipe.toml", "flow.h5"):
        shutil.copy(begun / name, tmp_path)
    run = tmp_path / "runs/run"
    go = {"deleted": lambda: shutil.rmtree(run), "renamed": lambda: run.rename(tmp_path / "other") and None}[event]
    monkeypatch.setattr(Engine, "save", after_save(go))
    code, printed = train_here(tmp_path, "recipe.toml")
    assert code == 2 and printed.count("error: ") == 1, printed


HEADERS = [
    ("recipe", "{"),
    ("sizes", "3"),
    ("sizes", "{"),
    ("normalisation", "[]"),
    ("normalisation", '{"mean": [1], "std": ["a"]}'),
    ("normalisation", '{"mean": [0, 0, 0], "std": [1, 1, 0]}'),
    ("normalisation", '{"mean": [0, NaN, 0], "std": [1, 1, 1]}'),
    ("about", "null"),
    ("about", '{"phase": "none"}'),
]


@pytest.mark.parametrize(("key", "text"), HEADERS)
def test_weights_with_a_damaged_header_are_refused(folder, key, text):
    path = folder / "runs/run/model.safetensors"
    header = safe_open(path, "pt").metadata()
    del header["checksums"]  # as in files of older code
    save_file(load_file(path), path, metadata={**header, key: text})
    with pytest.raises(UserError, match="model"):
        load_model(path)


def test_weights_that_are_not_numbers_are_refused(folder):
    path = folder / "runs/run/model.safetensors"
    header, weights = safe_open(path, "pt").metadata(), load_file(path)
    del header["checksums"]
    name = next(name for name, value in weights.items() if value.is_floating_point())
    save_file({**weights, name: torch.full_like(weights[name], torch.nan)}, path, metadata=header)
    with pytest.raises(UserError, match="not finite"):
        load_model(path)


def test_a_bit_that_changes_anywhere_in_weights_is_told_or_changes_nothing(folder):
    path, n_told = folder / "runs/run/model.safetensors", 0
    whole, wanted = path.read_bytes(), load_model(path)
    places = range(0, len(whole), max(1, len(whole) // 150))
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            found = load_model(path)
        except UserError:
            n_told += 1
            continue
        weights = found.network.state_dict()
        assert all(value.equal(weights[name]) for name, value in wanted.network.state_dict().items()), place
        assert (found.recipe, found.normalisation, found.origin) == (wanted.recipe, wanted.normalisation, wanted.origin)
    assert n_told > 0.95 * len(places)
