"""Predictions into files, and scores beside their rivals."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.distributed as dist

from dtrain import evaluate, predict
from dtrain.config import load_recipe
from dtrain.data.glass import Glass
from dtrain.glass import published
from dtrain.glass.report import Row, report, table
from dtrain.glass.scores import chi4
from dtrain.glass.scores import score as score_of
from dtrain.metrics import ceiling, pearson
from dtrain.normalisation import DenormalisedNetwork
from dtrain.weights import build_network, load_model, save_model
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from tests.dtrain.conftest import on_two


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, isoconfig: Path) -> Path:
    """The folder of a run that has not learnt anything yet, at the second of two times."""
    folder = tmp_path_factory.mktemp("runs") / "fresh"
    folder.mkdir()
    recipe = load_recipe(None, defaults=_recipe(isoconfig))
    torch.manual_seed(5)
    data = Glass(recipe.data)
    network = build_network(recipe, data.sizes)
    about = {"phase": "joint", "step": 0}
    save_model(folder / "model.safetensors", network.state_dict(), recipe, data.sizes, data.normalisation, about)
    return folder


def _recipe(isoconfig: Path) -> dict:
    return {
        "model": {"parameters": {"width": 8, "rounds": 2}},
        "data": {"file": str(isoconfig), "time": 1, "split": {"train": 6, "validation": 1, "test": 3}},
        "phase": {
            "edges": {"epochs": 1, "learning_rate": 1e-3, "data": {"time": 0}},
            "joint": {"epochs": 1, "learning_rate": 1e-3},
        },
    }


@pytest.fixture
def alone() -> Iterator[None]:
    """A process that may join others and leaves no trace of it."""
    joined_before = dist.is_initialized()  # for a training, which DeepSpeed remembers
    with patch.dict(os.environ):
        yield
    if dist.is_initialized() and not joined_before:
        dist.destroy_process_group()


def score(*words: object) -> None:
    """The program, in this process."""
    evaluate.main([*map(str, words)])


@pytest.fixture(scope="module")
def scored(run: Path) -> Path:
    """The folder of results of one process."""
    folder = run / "alone"
    folder.mkdir()
    with patch.dict(os.environ):
        score(run, "threads=1", f"output={folder}")
    return folder


def test_scores_are_correlations_of_the_samples_held_back(scored, isoconfig):
    """The reported figures, computed again from the predictions in the file."""
    about = json.loads((scored / "evaluation.json").read_text())
    row = about["rows"][0]
    assert row["name"] == "botan" and len(about["samples"]) == 3 and about["n_train"] == 6 and about["time"] == 10.0
    with Dataset(isoconfig) as data, Dataset(scored / "evaluation.h5") as found:
        assert found["sample"][:].tolist() == about["samples"]
        for k, sample in enumerate(about["samples"]):
            is_a, n_bonds = data["species"][sample] == 0, int(data["n_bonds"][sample])
            rho = pearson(found["propensity"][k, 0][is_a], data["propensity"][sample, 1][is_a])
            assert row["A"]["each"][k] == pytest.approx(rho, abs=1e-6)
            assert np.array_equal(found["bond"][k], data["bond"][sample])
            vector = np.diff(data["initial_position"][sample][data["bond"][sample, :n_bonds]], axis=1)[:, 0]
            vector -= np.round(vector / data["box"][sample]) * data["box"][sample]
            near = (np.linalg.norm(vector, axis=1) < 1.35) & is_a[data["bond"][sample, :n_bonds]].all(axis=1)
            change = found["bond_change"][k, 0, :n_bonds][near]
            rho = pearson(change, data["bond_change"][sample, 1, :n_bonds][near])
            assert row["bonds"]["each"][k] == pytest.approx(rho, abs=1e-6)
        assert about["ceiling"]["A"] == pytest.approx(ceiling(data["propensity_reliability"][:, 1]))


def test_susceptibility_is_of_every_species_and_peaks_at_some_time(scored, isoconfig):
    """Of the simulation at all times of the file, of the network at its own."""
    about = json.loads((scored / "evaluation.json").read_text())
    with Dataset(isoconfig) as data, Dataset(scored / "evaluation.h5") as found:
        for species, kind in enumerate("AB"):
            masks = [data["species"][sample] == species for sample in about["samples"]]
            for k in (0, 1):
                labels = [data["propensity"][i, k][mask] for i, mask in zip(about["samples"], masks, strict=True)]
                assert about["chi4"][kind]["curve"][k] == pytest.approx(vars(chi4(labels)))
            assert about["chi4"][kind]["peak"]["time"] in about["chi4"]["time"]
            guess = [found["propensity"][k, 0][mask] for k, mask in enumerate(masks)]
            assert about["rows"][0][kind]["chi4"]["value"] == pytest.approx(chi4(guess).value, abs=1e-6)


def test_the_linear_model_stands_beside_the_network(scored):
    about = json.loads((scored / "evaluation.json").read_text())
    network, rival = about["rows"]
    assert rival["name"] == "linear" and about["rivals"] == {"linear": "evaluation_linear.h5"}
    assert rival["A"]["pearson"]["value"] > network["A"]["pearson"]["value"]


def test_scores_do_not_depend_on_the_number_of_processes(run, scored, isoconfig, tmp_path):
    text = on_two(evaluate.main, tmp_path, run, "threads=1", f"output={tmp_path}")
    assert f"T = 0.5, t = 10: 3 test samples of {isoconfig} (4 replicas); 6 to train on" in text
    one, two = (json.loads((folder / "evaluation.json").read_text())["rows"] for folder in (scored, tmp_path))
    for row, other in zip(one, two, strict=True):
        for kind in ("A", "B", "bonds"):
            assert other[kind]["each"] == pytest.approx(row[kind]["each"], abs=1e-5)
    for name in ("evaluation.h5", "evaluation_linear.h5"):
        assert check(tmp_path / name).good


def test_the_spreadsheet_has_a_line_for_every_score(scored):
    with open(scored / "evaluation.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["botan", "linear", "noise ceiling"]
    for kind in ("A", "B", "bonds"):
        assert [row["name"] for row in rows if row["kind"] == kind] == names
    assert all(abs(float(row["pearson"])) <= 1 for row in rows)


def test_prediction_covers_the_whole_file(run, isoconfig, alone, tmp_path):
    """Every sample once, in physical units; the file passes its check, and a second run replaces it."""
    target = tmp_path / "p.h5"
    for _ in range(2):
        predict.main([str(run), str(isoconfig), f"output={target}", "threads=1"])
    assert check(target).good, str(check(target))
    trained = load_model(run)
    data = Glass(trained.recipe.data)
    with Dataset(target) as found:
        assert found["sample"][:].tolist() == list(range(10)) and found["time"][:].tolist() == [10.0]
        graph = data.structure(8)
        node, edge = DenormalisedNetwork(trained.network, trained.normalisation).predict(*data.inputs(graph))
        assert found["propensity"][8, 0] == pytest.approx(node, abs=1e-5)
        both = [edge[graph.pair.numpy() == 17].mean(), found["bond_change"][8, 0, 17]]
        assert both[1] == pytest.approx(both[0], abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["nowhere"], "there are no weights at nowhere"),
        (["nowhere", "rival=false"], "there are no weights at nowhere"),  # a key that some tasks have
        (["{run}", "frames=3"], "unknown key 'frames'"),
        (["{run}", "time=7"], "data.time = 7 is not in"),
        (["{run}", "part=best"], "part = 'best' is not allowed"),
        (["{run}", "file=missing.h5"], "missing.h5 does not exist"),
    ],
)
def test_mistakes_are_one_line(run, alone, capsys, settings, told):
    with pytest.raises(SystemExit) as end:
        score(*(word.format(run=run) for word in settings))
    error = capsys.readouterr().err
    assert end.value.code == 2 and told in error and error.count("\n") == 1


def test_what_was_published_of_transfer_over_temperature_stands_beside_ours():
    """Pooled correlations at tau_alpha of GlassBench, KA_results/FIG5.dat."""
    about = {"temperature": 0.64, "time": 16.5, "samples": [0], "part": "all", "file": "a.h5", "n_train": 9}
    about |= {"n_replicas": 32, "is_published": True, "ceiling": {}, "chi4": {}}
    row = Row("linear", {"A": score_of([np.arange(5.0)], [np.arange(5.0)])})
    lines = table({**about, "learnt": {"temperature": 0.44, "time": 4120.0}}, [row], {})
    assert lines[1] == "linear: answers for T = 0.44, t = 4120"
    assert lines[2] == (
        "published for the same, pooled, A particles: BOTAN 0.546, CAGE (simulation) 0.472, GlassMLP 0.494, "
        "SE(3)-GNN 0.442"
    )
    for learnt in ({"temperature": 0.44, "time": 1300.0}, {"temperature": 0.8, "time": 5.2}):
        told = "\n".join(table({**about, "learnt": learnt}, [row], {}))
        assert "answers for" in told and "published" not in told
    assert len(published.transferred((0.44, 4120.0), (0.44, 4120.0))) == 4
    assert not any("answers for" in line for line in table({**about, "learnt": None}, [row], {}))


def test_what_is_not_defined_is_null_in_json(tmp_path, capsys):
    """One sample has no standard error, a constant prediction no correlation."""
    lone = score_of([np.ones(5)], [np.arange(5.0)])
    about = {"temperature": 0.44, "time": 4120.0, "samples": [0], "part": "test", "file": "a.h5", "n_train": 1}
    about |= {"n_replicas": 32, "is_published": True, "ceiling": {"A": float("nan")}, "chi4": {}}
    report(tmp_path, about, [Row("botan", {"A": lone})])
    text = (tmp_path / "evaluation.json").read_text()
    row = json.loads(text, parse_constant=pytest.fail)["rows"][0]["A"]
    assert row["pearson"] == {"value": None, "error": None} and row["bias"] == {"value": -1.0, "error": None}
    text = capsys.readouterr().out
    assert "published, A particles:\nBOTAN, 400 to train on: rho 0.752, pooled 0.755" in text
    assert "EIGNN, 100 to train on: rho 0.817" in text and "noise ceiling, pooled 0.943" in text
