"""Networks that take cages: how they are predicted with, and scored beside rivals."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

import dtrain
from dtrain.data.cage import Cage, CageOptions
from dtrain.data.glass import Glass, GlassOptions
from dtrain.evaluate import main as evaluate
from dtrain.glass.mobility import temperature_of
from dtrain.glass.rivals import Displacements, rivals_of
from dtrain.least_squares import solve
from dtrain.metrics import pearson
from dtrain.models.linear import Linear
from dtrain.predict import main as predict
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.dtrain.conftest import SOLVED, train_here
from tests.isoconfig_factory import write_isoconfig

KEYS = {"positions": "both", "descriptors": True, "cage": {"replicas": 2, "time": 0.1}}
RECIPE = """
name = "caged"
[model]
name = "{model}"
[data]
name = "{data}"
positions = "both"
descriptors = true
cage = {{ replicas = 2, time = 0.1 }}
"""


def solved(folder, model, data):
    """A file, and the run of a model that is solved on it."""
    file = write_isoconfig(folder / "few.h5", n_samples=4, n_times=2, seed=4)
    (folder / "caged.toml").write_text(RECIPE.format(model=model, data=data) + SOLVED)
    code, printed = train_here(folder, "caged.toml", f"data.file={file}", "threads=1")
    assert code == 0, printed
    return file, folder / "runs" / "caged"


@pytest.fixture(scope="module")
def at_one_time(tmp_path_factory):
    return solved(tmp_path_factory.mktemp("one"), "linear", "glass")


@pytest.fixture(scope="module")
def at_any_time(tmp_path_factory):
    return solved(tmp_path_factory.mktemp("any"), "any-time", "glass-times")


@pytest.mark.parametrize("kind", ["at_one_time", "at_any_time"])
def test_a_snapshot_is_predicted_as_the_sample_of_a_file(kind, request, capsys):
    """Its cages are made on the way, at the temperature of the training, or the one that is given."""
    file, run = request.getfixturevalue(kind)
    trained = dtrain.load_model(str(run))
    sample = Glass(GlassOptions(file=str(file))).dataset
    arrays = [sample[name][1] for name in ("initial_position", "species", "box")]
    inherent = sample["inherent_position"][1]
    found = dtrain.predict(*arrays, trained, inherent=inherent)
    same = dtrain.predict(*arrays, trained, inherent=inherent, temperature=0.5)
    hot = dtrain.predict(*arrays, trained, inherent=inherent, temperature=0.9)
    np.testing.assert_array_equal(found.propensity, same.propensity)
    assert np.abs(found.propensity - hot.propensity).max() > 1e-3
    with pytest.raises(SystemExit), pytest.MonkeyPatch.context():
        predict([str(run), str(file), "temperature=0.9", "device=cpu", "threads=1"])
    assert f"temperature = 0.9: samples of {file} have their own; leave it out" in capsys.readouterr().err
    if kind == "at_one_time":
        trained.system["temperature"] = [0.4, 0.5]
        with pytest.raises(UserError, match=r"temperature: the model simulates .* learnt from 0.4 and 0.5; give one"):
            dtrain.predict(*arrays, trained, inherent=inherent)


def test_scores_say_who_simulates_and_what_the_simulation_knows_by_itself(at_one_time, capsys):
    """Beside a model with cages stand the structure alone and displacements alone; leads are taken sample by sample."""
    _, run = at_one_time
    evaluate([str(run), "part=all", "device=cpu", "threads=1"])
    printed = capsys.readouterr().out
    assert "linear (short simulation): 2 trajectories of each configuration to t = 0.1; the other predictors" in printed
    about = json.loads((run / "evaluation.json").read_text())
    assert about["cage"] == {"replicas": 2, "time": 0.1}
    first, *rivals = about["rows"]
    assert [first["name"], *about["rivals"]] == ["linear (short simulation)", "linear", "short simulation alone"]
    with open(run / "evaluation.csv", newline="") as lines:
        table = {(row["name"], row["kind"]): row for row in csv.DictReader(lines)}
    for row in rivals:
        with Dataset(run / about["rivals"][row["name"]]) as predicted:
            assert np.isfinite(predicted["propensity"][:]).all()
        ahead = np.subtract(first["A"]["each"], row["A"]["each"])
        assert row["lead"]["A"]["value"] == pytest.approx(ahead.mean())
        assert row["lead"]["A"]["error"] == pytest.approx(ahead.std(ddof=1) / len(ahead) ** 0.5)
        assert float(table[row["name"], "A"]["lead"]) == pytest.approx(ahead.mean(), abs=1e-6)
    assert table[first["name"], "A"]["lead"] == "" and "lead" not in first
    assert f"rho of {first['name']} less this" in printed


def test_displacements_alone_rank_particles_as_the_simulation_does(tmp_path):
    """Those of the later half, in each species; of a configuration the mean tells the others apart."""
    file = write_isoconfig(tmp_path / "few.h5", n_samples=4, n_times=2, seed=4)
    data = Displacements(GlassOptions(file=str(file), time=1, **KEYS))
    structure, species = data.structure(2), data.dataset["species"][2]
    length = Cage.of_array(data.configurations.seen(2).cage).length[:, 2]
    assert structure.x.shape[1] == data.sizes["node_width"] == 3
    np.testing.assert_allclose(structure.x[:, 2], length.mean(), rtol=1e-6)
    network = Linear(**data.sizes)
    solve(SerialWorld(), network, data, "test")
    found, _ = network(*data.inputs(structure))
    for one in (0, 1):
        rho = pearson(found[species == one].detach().numpy(), length[species == one])
        assert abs(rho) == pytest.approx(1, abs=1e-5)


def test_a_model_without_cages_takes_no_temperature(at_one_time):
    trained = dtrain.load_model(str(at_one_time[1]))
    options = trained.options.model_copy(update={"cage": CageOptions()})
    trained = SimpleNamespace(options=options, system=trained.system)
    with pytest.raises(UserError, match=r"temperature = 0.5: the model takes no cages .*; leave it out"):
        temperature_of(trained, 0.5)
    assert np.isnan(temperature_of(trained, None))


@pytest.mark.parametrize(
    ("cage", "model", "names"),
    [
        ({}, "linear", []),
        ({}, "botan", ["linear"]),
        (KEYS["cage"], "linear", ["linear", "short simulation alone"]),
        (KEYS["cage"], "botan", ["linear", "short simulation alone"]),
    ],
)
def test_rivals_are_other_predictors_than_the_network(cage, model, names):
    data = SimpleNamespace(parts={"train": [0]}, options=SimpleNamespace(cage=CageOptions(**cage)))
    assert rivals_of(data, model) == names
    data.parts = {"train": []}
    assert rivals_of(data, model) == []
