"""Pictures of a dataset and of scored runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from dtrain.glass.predictions import write_predictions
from dtrain.glass.report import Row, report
from dtrain.glass.scores import score
from mdgen.config import RunConfig
from mdgen.run import generate
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig
from tests.tools.conftest import tool
from tools.drawing.calibration import Calibration, calibrated
from tools.drawing.overview import small
from tools.drawing.picture import Picture, save
from tools.drawing.relaxation import curves
from tools.drawing.runs import Run, find_runs


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_isoconfig(tmp_path_factory.mktemp("data") / "ours.h5")


@pytest.fixture(scope="module")
def runs(dataset: Path) -> Path:
    return scored(dataset)


def scored(dataset: Path) -> Path:
    """The folder of a campaign of two scored runs, whose network and rival see the truth through noise."""
    folder = dataset.parent / "runs"
    rng = np.random.default_rng(2)
    with Dataset(dataset) as data:
        for i_time in range(2):
            run = folder / f"time{i_time}"
            run.mkdir(parents=True)
            noise = {"botan": ("evaluation.h5", 0.5), "linear": ("evaluation_linear.h5", 1.0)}
            rows = [_row(data, run / file, name, i_time, width, rng) for name, (file, width) in noise.items()]
            about = {"temperature": 0.5, "time": float(data["time"][i_time]), "samples": [1, 3], "part": "test"}
            about |= {"file": str(dataset), "i_time": i_time, "n_train": 2, "n_replicas": 4, "is_published": True}
            chi4 = {"time": [1.0, 10.0], "A": {"curve": [{"value": 1.5, "error": 0.5}] * 2, "peak": None}}
            about |= {"ceiling": {"A": 0.9}, "chi4": chi4, "rivals": {"linear": "evaluation_linear.h5"}}
            report(run, about, rows)
            _curves(run)
    return folder


def _row(data: Dataset, path: Path, name: str, i_time: int, width: float, rng: np.random.Generator) -> Row:
    truth = [data["propensity"][i, i_time] for i in (1, 3)]
    guess = [values + width * values.std() * rng.normal(size=values.shape) for values in truth]
    bonds = [np.zeros(int(data["n_bonds"][i])) for i in (1, 3)]
    found = [(sample, *values) for sample, *values in zip((1, 3), guess, bonds, strict=True)]
    write_predictions(SerialWorld(), path, data, ([1, 3], i_time), found, {"config": {}})
    return Row(name, {"A": score(guess, truth, True), "bonds": score(guess, truth)})


def _curves(run: Path) -> None:
    lines = [f"{step},{'edges' if step < 30 else 'joint'},{1 / step},0.{step}" for step in range(10, 60, 10)]
    for name in ("training", "validation"):
        (run / f"{name}.csv").write_text("\n".join(["step,phase,loss,rho_node", *lines]) + "\n")


def test_all_pictures_are_drawn_and_not_blank(dataset, runs, tmp_path):
    done = tool("figures", "--dataset", dataset, "--run", runs, "--out", tmp_path)
    expected = {"dataset", "rho_against_time", "scores_against_time", "training"}
    expected |= {f"{kind}_time{k}" for kind in ("slice", "agreement") for k in (0, 1)}
    assert {path.stem for path in tmp_path.glob("*.png")} == expected, done.stderr
    assert done.returncode == 0, done.stderr
    for path in tmp_path.glob("*.png"):
        pixels = matplotlib.image.imread(path)[..., :3]
        assert min(pixels.shape[:2]) > 400
        assert 0.02 < (pixels.min(axis=-1) < 0.95).mean() < 0.9, path.name


def test_captions_tell_the_colours_and_what_was_learnt_from(dataset, runs, tmp_path):
    done = tool("figures", "--dataset", dataset, "--run", runs / "time1", "--out", tmp_path, "--format", "svg")
    assert done.returncode == 0 and {path.suffix for path in tmp_path.iterdir()} == {".svg", ".txt"}, done.stderr
    told = " ".join((tmp_path / "slice_time1.txt").read_text().split())
    assert "All panels have the same colours, from" in told and "calibrated by 1 other scored sample" in told
    drawn = (tmp_path / "slice_time1.svg").read_text()
    assert "test sample 1" in drawn and "trained on 2 samples, noise ceiling 0." in drawn and "spread" in drawn
    assert "botan, trained on 2 samples" in (tmp_path / "rho_against_time.svg").read_text()


def test_a_picture_for_a_paper_is_the_same_file_each_time(tmp_path):
    for kind in ("pdf", "svg"):
        written = []
        for folder in (tmp_path / "first", tmp_path / "second"):
            folder.mkdir(exist_ok=True)
            figure, axis = plt.subplots()
            axis.plot([0, 1], label="a line")
            axis.legend()
            written.append(save(Picture("x", figure), folder, kind).read_bytes())
        assert written[0] == written[1], kind


def test_calibration_is_the_line_that_the_simulation_follows():
    rng = np.random.default_rng(0)
    values = rng.normal(0.4, 0.01, 4000)
    truth = 0.1 + 3.0 * values + rng.normal(0, 0.05, 4000)
    line = Calibration.of(truth, values)
    assert line.slope == pytest.approx(3.0, abs=0.3) and line(values).mean() == pytest.approx(truth.mean())
    again = Calibration.of(truth, line(values))
    assert again.slope == pytest.approx(1.0) and again.offset == pytest.approx(0.0, abs=1e-9)
    assert Calibration.of(truth, np.full(4000, 0.4))(values) is not None, "a constant cannot be calibrated"


def test_each_species_is_calibrated_by_its_own_line(dataset, tmp_path):
    """Predictions that are exact but for the spread and the mean of each species become those that were simulated."""
    with Dataset(dataset) as data:
        truth = {sample: data["propensity"][sample, 0] for sample in (1, 3)}
        is_a, n_bonds = data["species"][:] == 0, data["n_bonds"][:]
        squeezed = [
            (sample, np.where(is_a[sample], 0.3 + 0.1 * values, 5.0 * values), np.zeros(n_bonds[sample]))
            for sample, values in truth.items()
        ]
        path = tmp_path / "evaluation.h5"
        write_predictions(SerialWorld(), path, data, ([1, 3], 0), squeezed, {"config": {}})
        values, lines = calibrated(data, Run(tmp_path, {"samples": [1, 3], "i_time": 0}), path, 3)
    np.testing.assert_allclose(values, truth[3], rtol=1e-4)
    assert [line.slope for line in lines] == pytest.approx([10.0, 0.2], rel=1e-4)


def test_relaxation_between_the_times_of_a_file_passes_through_them(tmp_path):
    system, initial = {"n_particles": 300}, {"melt_time": 1.0, "cooling_time": 1.0, "hold_time": 4.0}
    production = {"n_samples": 2, "n_replicas": 4, "times": (0.05, 0.4)}
    output = str(tmp_path / "liquid.h5")
    config = RunConfig(output=output, device="cpu", system=system, initial=initial, production=production)
    generate(SerialWorld(), config)
    with Dataset(output) as data:
        found = curves(data, np.arange(2))
        assert found is not None and found.n_samples == 2 and len(found.time) > 10
        for name in ("mean_squared_displacement", "self_scattering"):
            between, stored = getattr(found, name), data[name][:].mean(axis=0)
            for k, time in enumerate(data["time"][:]):
                here = np.interp(time, found.time, between[:, 0])
                assert here == pytest.approx(stored[k, 0], rel=0.2), (name, time)


def test_a_dataset_alone_has_its_card(dataset, tmp_path):
    done = tool("figures", "--dataset", dataset, "--out", tmp_path)
    assert {path.stem for path in tmp_path.glob("*.png")} == {"dataset", "rho_against_time"}, done.stderr


def test_a_file_that_is_not_there_leaves_no_folder(tmp_path):
    done = tool("figures", "--dataset", tmp_path / "none.h5", "--out", tmp_path / "figures")
    assert done.returncode == 2 and "none.h5 does not exist" in done.stderr and not list(tmp_path.iterdir())


def test_a_run_that_was_not_scored_is_told(dataset, tmp_path):
    done = tool("figures", "--dataset", dataset, "--run", tmp_path, "--out", tmp_path)
    assert done.returncode == 2 and "no scored run is there; run dtrain/evaluate.py on it first" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", ["rivals", "rows", "n_train"])
def test_a_report_of_an_earlier_version_is_told(key, runs, tmp_path):
    run = tmp_path / "old"
    shutil.copytree(runs / "time1", run)
    about = json.loads((run / "evaluation.json").read_text())
    del about[key]
    (run / "evaluation.json").write_text(json.dumps(about))
    [old] = find_runs([run])
    with pytest.raises(UserError, match=f"evaluation.json: '{key}' is missing: it was scored by an earlier version"):
        _ = old.rows, old.trained, old.predictions


def test_runs_of_other_data_than_the_file_are_told(runs, tmp_path):
    flow = write_flow(tmp_path / "flow.h5")
    done = tool("figures", "--dataset", flow, "--run", runs, "--out", tmp_path)
    assert done.returncode == 2 and f"--run: none of 2 runs is of flow data, which {flow} holds" in done.stderr


def test_a_report_names_what_was_published(runs):
    """T = 0.5 was published, but not at these made-up times."""
    for path in runs.glob("*/evaluation.json"):
        assert json.loads(path.read_text())["published"] == {}


def test_small_copies_of_pictures_keep_their_shape_and_their_frames(tmp_path):
    gradient = np.tile(np.linspace(0, 255, 1500).astype(np.uint8), (600, 1))
    frames = [Image.fromarray(np.roll(gradient, shift, axis=1)).convert("RGB") for shift in (0, 300, 600)]
    frames[0].save(tmp_path / "a.png")
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=160)
    for name, size in (("a.png", (1000, 400)), ("a.gif", (500, 200))):
        small(tmp_path / name, tmp_path / f"small_{name}")
        with Image.open(tmp_path / f"small_{name}") as copy:
            assert copy.size == size and getattr(copy, "n_frames", 1) == (1 if name == "a.png" else 3)


def test_runs_in_folders_of_the_same_name_have_pictures_of_their_own(tmp_path):
    for study in ("a", "b"):
        for time in ("t1", "t10"):
            folder = tmp_path / study / "times" / time
            folder.mkdir(parents=True)
            (folder / "evaluation.json").write_text("{}")
    assert [run.name for run in find_runs([tmp_path / "a"])] == ["t1", "t10"]
    names = ["a_times_t1", "a_times_t10", "b_times_t1", "b_times_t10"]
    assert [run.name for run in find_runs([tmp_path / "a", tmp_path / "b"])] == names
