"""Runs that differ in their seed alone answer together, by the mean of their answers."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from dtrain import evaluate, predict
from dtrain.config import load_recipe
from dtrain.data import data as data_sets
from dtrain.ensemble import Ensemble, groups_at, load_ensemble, load_trained
from dtrain.normalisation import Normalisation
from dtrain.origin import Origin
from dtrain.weights import build_network, save_model
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.errors import UserError

SEEDS = 1, 2, 3
KINDS = {
    "glass": {"model": {"parameters": {"width": 8, "rounds": 2}}, "data": {"time": 1}},
    "flow": {"model": {"name": "flow-cnn", "parameters": {"widths": [4]}}, "data": {"horizon": 6}},
}


def write_run(folder: Path, recipe: dict, origin: Origin | None = None, shift: float = 0.0) -> None:
    """A run that has not learnt anything yet; its weights follow from the seed."""
    recipe = load_recipe(None, defaults=recipe | {"name": folder.name, "output": str(folder.parent)})
    data = data_sets.get(recipe.data.name)(recipe.data)
    torch.manual_seed(recipe.seed)
    weights = build_network(recipe, data.sizes).state_dict()
    folder.mkdir(parents=True)
    n = data.normalisation
    n = Normalisation(tuple(value + shift for value in n.mean), n.std)
    save_model(folder / "model.safetensors", weights, recipe, data.sizes, n, {"phase": "only"}, origin)


def recipe_of(name: str, file: Path, **changes: object) -> dict:
    kind = KINDS[name]
    data = {"name": name, "file": str(file), "split": {"train": 4, "validation": 1, "test": 1}, **kind["data"]}
    return {"model": kind["model"], "data": data, "phase": {"only": {"epochs": 1, "learning_rate": 1e-3}}, **changes}


@pytest.fixture(params=KINDS)
def campaign(request, isoconfig, flow_file, tmp_path) -> tuple[str, Path, Path]:
    """Kind, file and folder of a campaign over seeds."""
    file = {"glass": isoconfig, "flow": flow_file}[request.param]
    for seed in SEEDS:
        write_run(tmp_path / f"study/seed{seed}", recipe_of(request.param, file, seed=seed))
    return request.param, file, tmp_path / "study"


def run_program(program, *words: object) -> None:
    with patch.dict(os.environ):
        program([*map(str, words), "threads=1", "device=cpu"])


def test_predictions_of_a_campaign_are_the_mean_of_its_members(campaign):
    kind, file, study = campaign
    frames = ["frames=3"] if kind == "flow" else []  # one call of the network
    run_program(predict.main, study, file, "members=true", *frames)
    run_program(predict.main, study / "seed2", file, *frames)
    assert check(study / "ensemble/predictions.h5").good
    fields = {"glass": ("propensity", "bond_change"), "flow": ("t0_fields/density", "t1_fields/velocity")}[kind]
    with Dataset(study / "ensemble/predictions.h5") as together:
        members = [Dataset(study / f"ensemble/predictions_seed{seed}.h5") for seed in SEEDS]
        alone = Dataset(study / "seed2/predictions.h5")
        for field in fields:
            found = [member[field][:] for member in members]
            np.testing.assert_allclose(together[field][:], np.mean(found, axis=0), rtol=1e-4, atol=1e-6)
            assert np.array_equal(found[1], alone[field][:], equal_nan=True)
            assert np.nanmax(np.std(found, axis=0)) > 1e-4


def test_an_evaluated_campaign_has_a_row_of_its_mean(campaign, capsys):
    kind, _, study = campaign
    run_program(evaluate.main, study, *(["rival=false"] if kind == "glass" else []))
    with open(study / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["seed1", "seed2", "seed3", "ensemble"]
    assert all((study / row["run"] / "evaluation.json").exists() for row in rows)
    score = {"glass": "pearson_A", "flow": "vrmse"}[kind]
    values = [float(row[score]) for row in rows]
    if kind == "flow":  # an error of a mean is at most the mean of errors
        assert values[3] < np.mean(values[:3])
    assert len(set(values)) == 4
    _, _, table = capsys.readouterr().out.partition(f"{study / 'ensemble'}: the mean of the answers of 3 runs\n")
    head, *lines = table.partition("scores of 3 runs: ")[0].splitlines()
    names = [line.split()[0] for line in lines]
    assert head.split()[0] == "score" and score in names and f"{score}_error" not in names
    assert max(map(len, [head, *lines])) < 100
    *_, average, spread = lines[names.index(score)].split()
    assert float(average) == pytest.approx(np.mean(values[:3]), rel=1e-3)
    assert float(spread) == pytest.approx(np.std(values[:3], ddof=1), rel=0.05)


def test_what_is_fed_back_is_the_mean_of_the_members():
    """One member doubles, the other one halves: together they multiply by 5/4 in each call."""

    class Times(torch.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return (x * self.factor,)

    both, x = Ensemble([Times(2.0), Times(0.5)]), torch.tensor([1.0])
    assert both(*both(x))[0].item() == 1.25**2


def test_a_campaign_over_more_than_seeds_is_an_ensemble_per_setting(isoconfig, tmp_path):
    for batch in (1, 2):
        for seed in SEEDS[:2]:
            folder = tmp_path / f"study/batch{batch}_seed{seed}"
            write_run(folder, recipe_of("glass", isoconfig, seed=seed, batch=batch))
    groups = groups_at(str(tmp_path / "study"))
    assert [[Path(run).name for run in runs] for runs in groups] == [
        ["batch1_seed1", "batch1_seed2"],
        ["batch2_seed1", "batch2_seed2"],
    ]
    assert [load_ensemble(runs).folder.name for runs in groups] == ["ensemble_batch1", "ensemble_batch2"]
    with pytest.raises(UserError, match="runs that differ in batch, beside their seed; name one of them"):
        load_trained(str(tmp_path / "study"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"shift": 1.0}, "have learnt from other targets"),
        ({"origin": Origin(parts={"only": {"train": {"0": "a"}}})}, "have learnt from other samples"),
    ],
)
def test_runs_that_have_learnt_from_other_data_are_no_ensemble(isoconfig, tmp_path, changes, told):
    write_run(tmp_path / "study/seed1", recipe_of("glass", isoconfig, seed=1))
    write_run(tmp_path / "study/seed2", recipe_of("glass", isoconfig, seed=2), **changes)
    with pytest.raises(UserError, match=told):
        load_trained(str(tmp_path / "study"))
