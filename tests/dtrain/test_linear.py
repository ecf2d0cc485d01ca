"""The linear model: its regressions, how they are solved, and its way from a recipe to predictions."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
import torch

from dtrain.data.glass import Glass, GlassOptions
from dtrain.evaluate import main as evaluate
from dtrain.least_squares import PENALTIES, Sums, add, solve
from dtrain.metrics import pearson
from dtrain.models.linear import N_OWN, Linear, pair_descriptors
from dtrain.predict import main as predict
from dtrain.weights import load_model
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.dtrain.conftest import SOLVED, on_two, train_here

RECIPE = f"""
name = "linear"
[model]
name = "linear"
[data]
time = 1
positions = "both"
descriptors = true
{SOLVED}"""


@pytest.fixture(scope="module")
def data(isoconfig):
    return Glass(GlassOptions(file=str(isoconfig), time=1, positions="both", descriptors=True), seed=3)


@pytest.fixture(scope="module")
def solved(data):
    network = Linear(**data.sizes)
    solve(SerialWorld(), network, data, "test")
    return network


@pytest.fixture(scope="module")
def run(isoconfig, tmp_path_factory):
    """The folder of a run of the recipe, and what was printed."""
    folder = tmp_path_factory.mktemp("linear")
    (folder / "linear.toml").write_text(RECIPE)
    code, printed = train_here(folder, "linear.toml", f"data.file={isoconfig}", "threads=1")
    assert code == 0, printed
    return folder / "runs" / "linear"


def test_a_model_of_other_descriptors_is_refused(data, solved):
    """As one that was trained before there were as many."""
    x, edge_index, edge_attr = data.inputs(data.batch([0]))
    with pytest.raises(UserError, match=r"learnt from \d+ descriptors of a particle; this version makes \d+: train"):
        solved(torch.cat([x, x[:, 1:3]], dim=1), edge_index, edge_attr)


def ridge(x, y, penalty, n_trusted):
    """The normal equations, written out."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    unit = np.where(np.arange(x.shape[1]) < n_trusted, 1.0, spread)
    z = (x - mean) / unit
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(x.shape[1]), z.T @ (y - y.mean())) / unit
    return weights, y.mean() - mean @ weights


def test_a_solution_is_the_minimum_of_its_cost(rng):
    x, y = rng.normal(size=(60, 4)) * [1, 10, 0.1, 1] + 5, rng.normal(size=60)
    weights, offset = Sums.of(x, y, n_trusted=2).solve(3.0)
    expected = ridge(x, y, 3.0, n_trusted=2)
    np.testing.assert_allclose(weights, expected[0], atol=1e-9)
    assert offset == pytest.approx(expected[1], abs=1e-9)


def test_sums_of_parts_add_up_and_a_weight_counts_items(rng):
    x, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    parts = add({"a": Sums.of(x[:20], y[:20], 4)}, add({}, {"a": Sums.of(x[20:], y[20:], 4)}))["a"]
    twice = Sums.of(x, y, 4, weight=2.0)
    doubled = Sums.of(np.r_[x, x], np.r_[y, y], 4)
    for field in fields(Sums):
        np.testing.assert_allclose(getattr(parts, field.name), getattr(Sums.of(x, y, 4), field.name), atol=1e-12)
        np.testing.assert_allclose(getattr(twice, field.name), getattr(doubled, field.name), atol=1e-12)


def test_a_constant_column_has_no_say(rng):
    x, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    weights, offset = Sums.of(np.column_stack([x, np.full(30, 7.0)]), y, 3).solve(1.0)
    alone, offset_alone = Sums.of(x, y, 2).solve(1.0)
    np.testing.assert_allclose(weights, [*alone, 0.0], atol=1e-9)
    assert offset == pytest.approx(offset_alone)


def test_a_column_that_hardly_varies_beside_its_mean_is_seen(rng):
    """As the energy of a configuration, in features of single precision."""
    x = (-7.66 + 0.01 * rng.normal(size=(500, 1))).astype(np.float32)
    weights, offset = Sums.of(x, 3 * x[:, 0] + 1, 0).solve(1e-3)
    assert weights[0] == pytest.approx(3, rel=1e-3) and offset == pytest.approx(1, abs=0.03)


def test_the_network_gives_what_its_regressions_mean(data, solved):
    """Features times weights, particle by particle and pair by pair, are what the network answers."""
    batch = data.batch([data.split["test"][0]])
    node, edge = (output.detach() for output in solved(*data.inputs(batch)))
    n_node = n_edge = 0
    for name, items in solved.regressions(data.inputs(batch), batch.targets, batch.masks, batch.weight):
        kind, number = name.split(".")
        weights, offset = getattr(solved, kind)[int(number)], getattr(solved, f"{kind}_offset")[int(number)]
        answer, targets = (items.features @ weights + offset).detach(), {"node": batch.node_target}
        if kind == "node":
            chosen = batch.x[:, 0] == int(number)
            torch.testing.assert_close(node[chosen], answer, atol=1e-4, rtol=1e-4)
            assert torch.equal(items.target, targets["node"][chosen])
            n_node += len(answer)
        else:
            n_edge += len(answer)
            assert items.features.shape[1] == data.sizes["n_leading"] + N_OWN + 1
    assert n_node == len(node) and 2 * n_edge == len(edge)


def test_both_directions_of_a_pair_have_one_answer(data, solved):
    batch = data.batch([0])
    edge = solved(*data.inputs(batch))[1].detach()
    (source, target), n = batch.edge_index, len(batch.x)
    order, back = torch.argsort(source * n + target), torch.argsort(target * n + source)
    torch.testing.assert_close(edge[order], edge[back], atol=1e-5, rtol=1e-5)


def test_descriptors_of_pairs_do_not_turn():
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    vectors = random.normal(size=(50, 2, 3))
    one, other = (torch.tensor((v).reshape(50, 6)) for v in (vectors, vectors @ turn))
    torch.testing.assert_close(pair_descriptors(one), pair_descriptors(other))


def test_it_learns_what_neighbours_tell(data, solved):
    """In the made-up ensembles jumps are longer where neighbours are few: particles of both species, and bonds."""
    sample = data.split["test"][0]
    batch = data.batch([sample])
    node, edge = (output.detach().numpy() for output in solved(*data.inputs(batch)))
    is_a = batch.x[:, 0].numpy() == 0
    assert pearson(node[is_a], batch.node_target.numpy()[is_a]) > 0.5
    assert pearson(edge, batch.edge_target.numpy()) > 0.3
    assert np.isfinite(node).all() and np.isfinite(edge).all()


def test_validation_chooses_the_penalty(data):
    """Where the target is noise the strongest penalty is as good as any, and it is never worse than a fixed one."""
    network = Linear(**data.sizes)
    solve(SerialWorld(), network, data, "test")
    held_back = data.split["validation"][0]
    quality = {}
    batch = data.batch([held_back])
    for penalty in (PENALTIES[0], PENALTIES[-1]):
        total = {}
        for sample in data.split["train"]:
            one = data.batch([sample])
            items = dict(network.regressions(data.inputs(one), one.targets, one.masks, one.weight))["node.0"]
            total = add(total, {"a": Sums.of(items.features.numpy(), items.target.numpy(), items.n_trusted)})
        weights, offset = total["a"].solve(penalty)
        items = dict(network.regressions(data.inputs(batch), batch.targets, batch.masks, batch.weight))["node.0"]
        quality[penalty] = pearson(items.features.numpy() @ weights + offset, items.target.numpy())
    is_a = batch.x[:, 0] == 0
    found = pearson(network(*data.inputs(batch))[0].detach().numpy()[is_a], batch.node_target.numpy()[is_a])
    assert found >= max(quality.values()) - 1e-4


def test_a_recipe_keeps_a_model_that_predicts_and_is_scored(run, isoconfig):
    trained = load_model(run)
    assert isinstance(trained.network, Linear) and trained.origin.learnt
    predict([str(run), str(isoconfig), "device=cpu", "threads=1"])
    evaluate([str(run), "device=cpu", "threads=1"])
    with Dataset(run / "predictions.h5") as found, Dataset(isoconfig) as file:
        for sample in range(10):
            n_bonds = int(file["n_bonds"][sample])
            assert np.isfinite(found["propensity"][sample, 0]).all()
            assert np.isfinite(found["bond_change"][sample, 0, :n_bonds]).all()
    about = json.loads((run / "evaluation.json").read_text())
    assert [row["name"] for row in about["rows"]] == ["linear"] and about["rows"][0]["A"]["pearson"]["value"] > 0.5


def test_the_same_command_finds_the_run_finished(run, isoconfig):
    code, printed = train_here(run.parents[1], "linear.toml", f"data.file={isoconfig}", "threads=1")
    assert code == 0 and "is finished" in printed


def test_the_weights_know_what_was_simulated(run, data):
    assert load_model(run).system == data.system and data.system["n_species"] == 2


def test_a_campaign_of_linear_models_is_tabulated(isoconfig, tmp_path):
    (tmp_path / "linear.toml").write_text(RECIPE)
    words = ("campaign.grid.seed=[1, 2]", f"data.file={isoconfig}", "threads=1")
    code, printed = train_here(tmp_path, "linear.toml", *words)
    assert code == 0, printed
    table = (tmp_path / "runs/linear/campaign.csv").read_text()
    assert table.splitlines() == ["run,seed,step", "seed1,1,0", "seed2,2,0"]


def test_two_processes_solve_for_the_same_weights(run, isoconfig, tmp_path):
    from dtrain.train import main

    (tmp_path / "linear.toml").write_text(RECIPE)
    on_two(main, tmp_path, "linear.toml", f"data.file={isoconfig}", "threads=1", "device=cpu")
    one, two = (load_model(folder).network.state_dict() for folder in (run, tmp_path / "runs" / "linear"))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, atol=1e-4, rtol=1e-3)


def test_what_a_linear_model_needs_is_said(isoconfig, tmp_path):
    (tmp_path / "linear.toml").write_text(RECIPE)
    code, printed = train_here(tmp_path, "linear.toml", f"data.file={isoconfig}", "data.descriptors=false")
    assert code == 2 and 'needs data.descriptors = true and data.positions = "both"' in printed
    phases = RECIPE + "[phase.again]\nepochs = 1\nlearning_rate = 1.0\n"
    (tmp_path / "twice.toml").write_text(phases)
    code, printed = train_here(tmp_path, "twice.toml", "name=twice", f"data.file={isoconfig}", "threads=1")
    assert code == 2 and "is solved in one phase, not 2" in printed
    with pytest.raises(UserError, match="is not allowed"):
        from dtrain.models import model

        model.build("linear", n_species=0)
