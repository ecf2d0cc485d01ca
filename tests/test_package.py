"""What others get: a source distribution with all that is here, and a wheel that works from any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment

PACKAGES = ("dtrain", "lbmgen", "mdgen", "runkit")
LEFT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.nbc", "*.nbi", "site.env", "_build")
HIDDEN = (".ci", ".github", ".gitignore", ".pre-commit-config.yaml")  # which are ours
NOT_OURS = ("build", "data", "dist", "figures", "gpu_check", "runs")  # what running here leaves


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what belongs to the project."""
    copy = tmp_path_factory.mktemp("package") / "source"
    copy.mkdir()
    for path in ROOT.iterdir():
        is_hidden = path.name.startswith(".") and path.name not in HIDDEN
        if is_hidden or path.name in NOT_OURS or path.suffix == ".egg-info":
            continue
        if path.is_dir():
            shutil.copytree(path, copy / path.name, ignore=LEFT)
        else:
            shutil.copy(path, copy)
    return copy


def build(kind: str, folder: Path) -> Path:
    """What setuptools makes of a source tree."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}('dist'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "dist" / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def unpacked(source: Path) -> Path:
    """The source distribution, unpacked."""
    shutil.unpack_archive(build("sdist", source), source.parent)  # Python before 3.11.4 has no filters
    (folder,) = source.parent.glob("glassflow-*")
    return folder


@pytest.fixture(scope="module")
def installed(unpacked: Path) -> Path:
    """A folder into which the wheel was installed; what it needs comes from the environment."""
    target = unpacked.parent / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(target)]
    subprocess.run([*command, str(build("wheel", unpacked))], check=True, capture_output=True)
    return target


def run(installed: Path, folder: Path, *words: str) -> str:
    """What a command says that sees the installed wheel alone."""
    environment = clean_environment() | {"PYTHONPATH": str(installed), "DS_ACCELERATOR": "cpu"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_source_distribution_is_complete(source, unpacked):
    made = {"build", "dist", "glassflow.egg-info"}
    here, there = (
        {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} for root in (source, unpacked)
    )
    missing = {name for name in here - there if Path(name).parts[0] not in made}
    assert not missing


def test_the_wheel_has_all_modules_recipes_and_kernels(source, installed):
    for package in PACKAGES:
        files = [path for path in (source / package).rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".py", ".cu", ".csv", ".toml", ".json"}, package
        assert all((installed / path.relative_to(source)).read_bytes() == path.read_bytes() for path in files)
    assert not {"tests", "tools", "jobs", "docs", "examples"} & {path.name for path in installed.iterdir()}


def test_programs_of_the_wheel_run_from_any_folder(installed, tmp_path):
    for program in ("mdgen", "lbmgen"):
        assert "# cost" in run(installed, tmp_path, "-m", program, "show", "output=mine.h5")
        assert "usage: python -m" in run(installed, tmp_path, "-m", program, "--help")
    told = run(installed, tmp_path, "-c", "import runkit.about; runkit.about.program(); print(runkit.__file__)")
    first, *_, where = told.splitlines()
    assert first == "glassflow 0.1.0" and where.startswith(str(installed))


PHASES = tomllib.loads((ROOT / "dtrain" / "recipes" / "flow.toml").read_text())["phase"]
SHORT = tuple(f"phase.{name}.epochs=0.1" for name in PHASES)
TRAININGS = {
    "botan": ("data.time=1", "phase.joint.epochs=1", "model.parameters={width=8, rounds=1}"),
    "flow": ("data.horizon=6", "model.parameters={widths=[4], stream=true}", *SHORT),
}


@pytest.mark.parametrize("recipe", TRAININGS)
def test_a_recipe_of_the_wheel_trains_and_predicts_from_any_folder(installed, tmp_path, recipe):
    from tests.flow_factory import write_flow
    from tests.isoconfig_factory import write_isoconfig

    if recipe == "flow":
        write_flow(tmp_path / "data.h5", 4, n_frames=28)
    else:
        write_isoconfig(tmp_path / "data.h5", n_samples=6)
    run(installed, tmp_path, "-m", "dtrain.train", f"recipes/{recipe}.toml", "data.file=data.h5", *TRAININGS[recipe])
    assert (tmp_path / "runs" / recipe / "model.safetensors").exists()
    if recipe == "flow":  # glasses take kernels, which would be compiled in the new place
        run(installed, tmp_path, "-m", "dtrain.predict", "runs/flow", "data.h5")
        assert (tmp_path / "runs" / "flow" / "predictions.h5").exists()


def test_commands_of_the_wheel_have_the_names_of_the_programs(installed):
    (about,) = installed.glob("glassflow-*.dist-info")
    told = (about / "entry_points.txt").read_text()
    assert {line.partition(" ")[0] for line in told.splitlines() if " = " in line} == {"glassflow", "lbmgen", "mdgen"}
    assert {path.name for path in (installed / "bin").iterdir() if os.access(path, os.X_OK)} == {
        "glassflow",
        "lbmgen",
        "mdgen",
    }
