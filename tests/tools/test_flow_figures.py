"""Pictures of a FLOW file and of networks that learnt from it."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.flow.long import LongCase
from dtrain.flow.long_report import write_long
from dtrain.flow.report import report, table
from dtrain.flow.rollouts import persistence, write_rollouts
from dtrain.flow.scores import SCORES, Reference, Row, rows_of
from dtrain.flow.statistics import Statistics
from lbmgen.config import RunConfig
from lbmgen.run import generate
from runkit.config import load
from runkit.dataset.reader import Dataset
from runkit.mpi import SerialWorld
from tests.conftest import ROOT
from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig
from tests.tools import test_figures
from tests.tools.conftest import tool
from tools.drawing.flow_fields import Case
from tools.drawing.flow_long import draw_long
from tools.drawing.flow_rollouts import draw_range
from tools.drawing.overview import WIDTH
from tools.drawing.overview import main as overview
from tools.drawing.picture import save
from tools.drawing.runs import Run

VARIANTS = {"a": (True, 1.0), "b": (False, 0.0)}  # skip, weight of gradients
N_FRAMES = 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flow(tmp_path_factory.mktemp("data") / "ours.h5", n_frames=6)


@pytest.fixture(scope="module")
def runs(dataset: Path) -> Path:
    return scored(dataset)


def scored(dataset: Path) -> Path:
    """The folder of a scored ablation, whose networks see the reference through noise."""
    folder = dataset.parent / "runs"
    data, rng = Flow(FlowOptions(file=str(dataset))), np.random.default_rng(2)
    for name, (skip, gradient) in VARIANTS.items():
        (folder / name).mkdir(parents=True)
        guess = data.frames(1, 3, N_FRAMES) + rng.normal(0, 0.003, (3, N_FRAMES, 16, 16)).astype(np.float32)
        config = {"model": {"parameters": {"skip": skip}}, "loss": {"gradient": gradient}}
        write_rollouts(
            SerialWorld(), folder / name / "evaluation.h5", data, ([1], 0, N_FRAMES), [(1, guess)], {"config": config}
        )
        reference = Reference(
            data.frames(1, 3, N_FRAMES), data.fluid(1), data.dataset["t0_fields/signed_distance"][1], 2.0, data.speed(1)
        )
        found = {"flow-cnn": guess, "persistence": persistence(data, 1, 0, N_FRAMES), "simulation": reference.frames}
        about = {"data": "flow", "file": str(dataset), "part": "test", "cases": [1], "n_train": 4, "start": 0}
        about |= {"n_given": 3, "n_frames": N_FRAMES, "interval": 100.0}
        about |= {"seconds_per_frame": 0.01, "precision": "float32", "compile": False}
        report(folder / name, about, rows_of([{who: reference.score(frames) for who, frames in found.items()}], [9.0]))
        lines = [f"{step},frames,{1 / step},0.{step}" for step in range(10, 60, 10)]
        for curve in ("training", "validation"):
            (folder / name / f"{curve}.csv").write_text("\n".join(["step,phase,loss,vrmse", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def sphere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a flow past a sphere, which is not in the middle of the domain."""
    config = load(
        RunConfig,
        None,
        [
            f"output={tmp_path_factory.mktemp('sphere') / 'sphere.h5'}",
            *("device=cpu", "n_cases=1", "grid.lattice=D3Q19", "grid.cells=[16, 12, 14]", "grid.refinement=1"),
            *("obstacles.given=[{family='sphere', center=[6, 6, 7.5], size=4}]", "flow.reynolds=10"),
            *("frames.count=2", "frames.every=10", "frames.warm_up=1", "frames.force_every=10"),
        ],
    )
    generate(SerialWorld(), config)
    return Path(config.output)


def test_an_ablation_is_drawn_with_all_its_variants(dataset, runs, tmp_path):
    done = tool("figures", "--dataset", dataset, "--run", runs, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    of_runs = {f"rollout_{name}.{kind}" for name in VARIANTS for kind in ("png", "gif")}
    shared = {"flow_cases.png", "rollout_scores.png", "rollout_scores.md", "rollout_variants.png", "training.png"}
    captions = {name.rpartition(".")[0] + ".txt" for name in of_runs | shared}
    assert {path.name for path in tmp_path.iterdir()} == of_runs | shared | captions
    told = (tmp_path / "rollout_a.txt").read_text()
    assert "trained on 4 cases" in told and "Simulation and networks have the same colours" in told
    for path in tmp_path.glob("*.png"):
        pixels = matplotlib.image.imread(path)[..., :3]
        assert min(pixels.shape[:2]) > 400
        assert 0.02 < (pixels.min(axis=-1) < 0.95).mean() < 0.9, path.name
    with Image.open(tmp_path / "rollout_a.gif") as film:
        assert film.n_frames == N_FRAMES
        shown = [np.asarray(film.convert("RGB")) for i in range(N_FRAMES) if film.seek(i) is None]
    assert all((a != b).any() for a, b in pairwise(shown))
    rows = [line.split(" | ")[0].strip("| ") for line in (tmp_path / "rollout_scores.md").read_text().splitlines()]
    assert rows[2:] == ["base", "both", "persistence", "simulation"]


def test_a_file_of_flow_alone_has_its_card(dataset, tmp_path):
    done = tool("figures", "--dataset", dataset, "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flow_cases.png", "flow_cases.txt"], done.stderr
    assert "from 0 to" in (tmp_path / "flow_cases.txt").read_text(), "the range of the colours"


def test_a_flow_in_three_dimensions_is_drawn_in_two_cuts_through_its_bodies(sphere, tmp_path):
    done = tool("figures", "--dataset", sphere, "--out", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flow_cases.png", "flow_cases.txt"], done.stderr
    told = " ".join((tmp_path / "flow_cases.txt").read_text().split())
    assert "16 × 12 × 14 cells" in told and "In planes normal to y: Speed: from 0 to" in told
    pixels = matplotlib.image.imread(tmp_path / "flow_cases.png")[..., :3]
    assert min(pixels.shape[:2]) > 400 and 0.02 < (pixels.min(axis=-1) < 0.95).mean() < 0.9


@pytest.mark.parametrize("normal", "zy")
def test_a_cut_shows_the_vorticity_about_its_normal(sphere, normal):
    """A fluid that turns about an axis has twice its rate about this axis and none about the others."""
    rate = dict(zip("xyz", (1e-3, 2e-3, 5e-3), strict=True))
    with Dataset(sphere) as data:
        case = Case(data, 0, normal)
        x, y, z = np.meshgrid(*(data[f"dimensions/{axis}"][:] for axis in "xyz"), indexing="ij")
        turning = np.cross(list(rate.values()), np.stack([x, y, z], axis=-1))[*case.place]
        found = case.quantities(turning[None])["vorticity"][0]
        expected = 2 * rate[normal] * case.scalar("length") / case.scalar("velocity")
        np.testing.assert_allclose(found[case.fluid], expected, rtol=1e-5)
        assert not case.fluid.all() and case.distance.min() == data["t0_fields/signed_distance"][0].min()
        largest = np.linalg.norm(data["t1_fields/velocity"][0, -1][*case.place], axis=-1).max()
        speed = case.quantities(case.velocity(slice(-1, None)))["speed"]
        assert speed.max() == pytest.approx(largest / case.scalar("velocity"), rel=1e-5)


def test_the_table_of_an_evaluation_tells_how_long_a_frame_takes():
    about = {"file": "f.h5", "part": "test", "cases": [1], "n_train": 4, "n_given": 3, "n_frames": 1, "interval": 100.0}
    about |= {"seconds_per_frame": 0.002, "precision": "bfloat16", "compile": True}
    score = {name: np.array([[0.5]]) for name in SCORES}
    lines = table(about, [Row("flow-cnn", score, [9.0])])
    assert lines[-1] == "the network takes 2 ms per frame, with products in bfloat16, compiled"


def test_rollouts_without_end_are_drawn_beside_the_simulation(dataset, tmp_path):
    data = Flow(FlowOptions(file=str(dataset)))
    frames, fluid = data.frames(1, 0, 10), data.fluid(1)
    found = Statistics(fluid, np.zeros_like(fluid), 10, segment=8)
    found.add(frames)
    case = LongCase(1, 120.0, 1.0, fluid, found.summary(), found.summary(), (frames[:, -1], frames[:, -1]), 10)
    write_long(tmp_path, {"file": str(dataset), "part": "test", "n_frames": 10, "n_simulated": 10}, [case])
    with Dataset(dataset) as opened:
        picture = draw_long(opened, Run(tmp_path, {}))
        assert picture is not None and draw_long(opened, Run(tmp_path / "nowhere", {})) is None
    assert "1 test cases, beside 10 simulated frames" in picture.caption
    pixels = matplotlib.image.imread(save(picture, tmp_path))[..., :3]
    assert min(pixels.shape[:2]) > 400 and 0.02 < (pixels.min(axis=-1) < 0.95).mean() < 0.9


def test_rollouts_at_the_lowest_and_the_highest_reynolds_number_stand_one_below_the_other(dataset, tmp_path):
    data = Flow(FlowOptions(file=str(dataset)))
    numbers = np.array([data.dataset["scalars/reynolds_number"][case] for case in (0, 1, 2)])
    truth = [(case, data.frames(case, 3, N_FRAMES)) for case in (0, 1, 2)]
    write_rollouts(SerialWorld(), tmp_path / "evaluation.h5", data, ([0, 1, 2], 0, N_FRAMES), truth, {"config": {}})
    about = {"part": "test", "cases": [0, 1, 2], "n_train": 4, "start": 0, "n_given": 3, "n_frames": N_FRAMES}
    with Dataset(dataset) as opened:
        picture = draw_range(
            opened, Run(tmp_path, {**about, "data": "flow", "interval": 9, "rows": [{"name": "unet"}]})
        )
    low, high = int(numbers.argmin()), int(numbers.argmax())
    assert low != high and f"Rollouts of test cases {low} and {high}, " in picture.caption
    labels = [axis.get_ylabel() for axis in picture.drawing.axes if "Re =" in axis.get_ylabel()]
    assert labels[::2] == [f"simulation\nRe = {numbers[case]:.3g}" for case in (low, high)]
    assert labels[1::2] == [f"unet\nRe = {numbers[case]:.3g}" for case in (low, high)]


def test_pictures_are_drawn_without_torch():
    code = "import sys, tools.figures; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_overview_shows_both_kinds_of_simulation_beside_predictions(dataset, runs, tmp_path):
    glass, picture = write_isoconfig(tmp_path / "glass.h5"), tmp_path / "overview.png"
    overview([str(glass), str(test_figures.scored(glass) / "time1"), str(dataset), str(runs / "a"), str(picture)])
    shown = matplotlib.image.imread(picture)
    assert shown.shape[1] == WIDTH["PNG"] and shown.std() > 0.1
