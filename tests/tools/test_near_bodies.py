"""Networks near bodies, compared: on the grid, and at points, which a network of the grid can only interpolate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dtrain.config import load_recipe
from dtrain.data import data as data_sets
from dtrain.data.flow_cloud import FlowCloud, FlowCloudOptions
from dtrain.weights import build_network, save_model
from tests.flow_factory import write_flow
from tools.near_bodies import SIMULATION, Truth, compare, main

SPLIT = {"train": 4, "validation": 1, "test": 1}
MODELS = {"flow-cloud": {"name": "botan-flow", "parameters": {"width": 8, "rounds": 2}},
          "flow": {"name": "flow-cnn", "parameters": {"widths": [4]}}}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return write_flow(tmp_path_factory.mktemp("data") / "flow.h5", n_points=240)


def untrained(folder: Path, kind: str, file: Path) -> str:
    """The folder of a run whose weights are as they were drawn."""
    phases = {"one": {"epochs": 1, "learning_rate": 1e-3}}
    data = {"name": kind, "file": str(file), "split": SPLIT}
    recipe = load_recipe(None, defaults={"model": MODELS[kind], "data": data, "phase": phases})
    opened = data_sets.get(kind)(recipe.data_in("one"), seed=recipe.seed)
    torch.manual_seed(0)
    network = build_network(recipe, opened.sizes)
    sizes = {name: value for name, value in opened.sizes.items() if name in ("inputs", "frames")}
    folder.mkdir()
    save_model(
        folder / "model.safetensors", network.state_dict(), recipe, sizes, opened.normalisation, {"phase": "one"}
    )
    return str(folder)


def test_errors_are_weighted_by_area_and_in_percent_of_the_velocity(file):
    cloud = FlowCloud(FlowCloudOptions(file=str(file), split=SPLIT), 0)
    truth = Truth(cloud, 2, 3, 4)
    off = truth.points.copy()
    off[:, 1] += 0.02 * truth.velocity
    squares = truth.squares(truth.grid, off)
    total, weight = squares["points"]
    np.testing.assert_allclose(np.sqrt(total / weight), [0, 2, 0, 0], atol=1e-4)
    assert not squares["near"][0].any() and weight == truth.there.sum()
    assert squares["near"][1] + squares["elsewhere"][1] == cloud.fluid(2).sum()


def test_cells_are_interpolated_linearly(file):
    truth = Truth(FlowCloud(FlowCloudOptions(file=str(file), split=SPLIT), 0), 2, 3, 4)
    x, y = np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5, indexing="ij")
    field = np.broadcast_to(2 * x - y, (2, 4, 16, 16))
    wanted = (2 * truth.position[:, 0] - truth.position[:, 1]) / truth.data.cell
    inside = np.all((truth.position > 1) & (truth.position < 31), axis=1)  # beyond the first centres values go on
    np.testing.assert_allclose(truth.interpolated(field)[1, 3][inside], wanted[inside], atol=1e-9)
    assert inside.sum() > 100


def test_a_table_tells_the_grid_alone_beside_networks_and_a_picture_is_drawn(file, tmp_path):
    runs = [untrained(tmp_path / kind, kind, file) for kind in MODELS]
    lines = compare(runs, 6, str(tmp_path / "near.png"))
    numbers = {line.split("  ")[0]: line.split() for line in lines if line[:1] not in (" ", "")}
    assert list(numbers) == [*runs, SIMULATION]
    assert float(numbers[SIMULATION][-3]) == 0 < float(numbers[SIMULATION][-1])
    assert all(float(numbers[run][k]) > 0 for run in runs for k in (-1, -2, -4))
    assert (tmp_path / "near.png").stat().st_size > 10_000
    assert [line.split()[-4] for line in compare(runs[1:], 2, "")[1:]][1::2] == ["2", "2"]  # the last frame is shown


def test_a_picture_that_could_not_be_drawn_is_refused_before_the_work(tmp_path, capsys):
    assert main(["absent", "--picture", str(tmp_path / "near.xyz")]) == 2
    assert "near.xyz: allowed: a name that ends in .png, .pdf, .svg" in capsys.readouterr().err
    (tmp_path / "near.png").write_text("notes of somebody else")
    assert main(["absent", "--picture", str(tmp_path / "near.png")]) == 2
    assert "is not a file of this program" in capsys.readouterr().err
    assert (tmp_path / "near.png").read_text() == "notes of somebody else"


def test_runs_of_different_files_and_files_without_points_are_refused(file, tmp_path, capsys):
    flow_file = write_flow(tmp_path / "flow.h5")
    runs = [untrained(tmp_path / name, "flow", of) for name, of in (("a", file), ("b", flow_file))]
    assert main(runs) == 2 and "compare runs of one split" in capsys.readouterr().err
    assert main([runs[0], "--frames", "10"]) == 2 and "frames = 10: 9 frames follow" in capsys.readouterr().err
    assert main([*runs[1:], "--frames", "3"]) == 2 and "has no points near bodies" in capsys.readouterr().err
