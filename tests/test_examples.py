"""Every example runs and ends in a picture; sizes are reduced where a full one takes more than a few seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

from tests.conftest import ROOT, clean_environment
from tests.tools.conftest import tool

EXAMPLES = ROOT / "examples"
SMALL_GLASS = ("production.n_replicas=4", "initial.melt_time=0.5", "initial.cooling_time=0.5", "initial.hold_time=0.5")
SMALL_FLOW = ("frames.count=4", "frames.every=40", "frames.warm_up=0.3", "frames.ramp=0.1")
# Case -> program, and what makes it small.
CASES = {
    "lennard_jones": ("mdgen", *SMALL_GLASS),
    "soft_spheres": ("mdgen", *SMALL_GLASS),
    "cylinders": ("lbmgen", *SMALL_FLOW),
    "aerofoil": ("lbmgen", *SMALL_FLOW),
    "pulsating_channel": ("lbmgen", *SMALL_FLOW),
}
ALONE = {"propensity": (), "relaxation": (), "cylinder": ("300",)}
FROM_FILE = {"ceilings": "lennard_jones", "strouhal": "cylinders"}


def run(folder: Path, *words: object) -> str:
    """What a command says; it must succeed."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


def require_picture(path: Path) -> None:
    pixels = matplotlib.image.imread(path)[..., :3]
    assert min(pixels.shape[:2]) > 250 and 0.02 < (pixels.min(axis=-1) < 0.95).mean() < 0.9, path.name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all examples work."""
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_tried_and_told():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*ALONE, *FROM_FILE}
    assert {path.stem for path in EXAMPLES.glob("cases/*.toml")} == {*CASES}
    told = (EXAMPLES / "README.md").read_text()
    assert all(f"examples/{name}" in told for name in (f"{each}.py" for each in (*ALONE, *FROM_FILE)))
    assert all(f"examples/cases/{name}.toml" in told for name in CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_case_runs_and_is_drawn(folder, name):
    program, *small = CASES[name]
    run(folder, "-m", program, EXAMPLES / "cases" / f"{name}.toml", *small)
    done = tool("figures", "--dataset", folder / "data" / f"{name}.h5", "--out", folder / name)
    assert done.returncode == 0, done.stderr
    pictures = [*(folder / name).glob("*.png")]
    assert pictures and (name != "soft_spheres" or (folder / name / "mobile_regions.gif").exists())
    for path in pictures:
        require_picture(path)
        assert (path.with_suffix(".txt")).stat().st_size > 100


@pytest.mark.parametrize("name", ALONE)
def test_a_script_runs_and_draws(folder, name):
    assert run(folder, EXAMPLES / f"{name}.py", f"{name}.png", *ALONE[name])
    require_picture(folder / f"{name}.png")


@pytest.mark.parametrize("name", FROM_FILE)
def test_a_script_draws_a_file(folder, name):
    """After the tests of cases, in this file's order."""
    path = folder / "data" / f"{FROM_FILE[name]}.h5"
    if not path.exists():
        program, *small = CASES[FROM_FILE[name]]
        run(folder, "-m", program, EXAMPLES / "cases" / f"{FROM_FILE[name]}.toml", *small)
    assert run(folder, EXAMPLES / f"{name}.py", path, f"{name}.png")
    require_picture(folder / f"{name}.png")
