"""Several times and temperatures in one network: samples, levels, knots, and the way from a recipe to predictions."""

from __future__ import annotations

import csv
import shutil
from itertools import chain

import h5py
import numpy as np
import pytest
import torch

from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.glass_files import TimesOptions
from dtrain.data.glass_times import GlassTimes
from dtrain.data.graph_set import GlassLoss
from dtrain.data.knots import Knots
from dtrain.evaluate import main as evaluate
from dtrain.glass.moment import at
from dtrain.least_squares import solve
from dtrain.metrics import pearson
from dtrain.models import model as networks
from dtrain.models.any_time import AnyTime
from dtrain.predict import main as predict
from dtrain.tasks.glass_times import _report as report
from dtrain.weights import load_model
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.dtrain.conftest import ANY_TIME, SOLVED, train_here
from tests.isoconfig_factory import write_isoconfig

RECIPE = f'name = "any"{ANY_TIME}{SOLVED}'
KEYS = {"positions": "both", "descriptors": True}


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """Six samples at T = 0.5, three times."""
    return write_isoconfig(tmp_path_factory.mktemp("times") / "cold.h5", n_samples=6, n_times=3, seed=5)


@pytest.fixture(scope="module")
def warm(cold):
    """Four others at T = 1, of which only the temperature differs."""
    path = write_isoconfig(cold.with_name("warm.h5"), n_samples=4, n_times=2, seed=6)
    with h5py.File(path, "r+") as file:
        file["temperature"][:] = 1.0
    return path


@pytest.fixture(scope="module")
def data(cold):
    return GlassTimes(TimesOptions(file=str(cold), **KEYS))


@pytest.fixture(scope="module")
def both(cold, warm):
    return GlassTimes(TimesOptions(file=str(cold), further=(str(warm),), reversed=1, **KEYS))


@pytest.fixture(scope="module")
def run(cold, tmp_path_factory):
    """The folder of a run of the recipe that has not seen the second of three times."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "any.toml").write_text(RECIPE)
    code, printed = train_here(folder, "any.toml", f"data.file={cold}", "data.times=[0,2]", "threads=1")
    assert code == 0, printed
    return folder / "runs" / "any"


def test_a_graph_has_the_labels_of_all_times_in_units_of_their_level(data):
    batch = data.batch([2])
    dataset = data.files[0].at[0].dataset
    species = dataset["species"][2]
    for k in range(3):
        labels, errors = dataset["propensity"][2, k], dataset["propensity_error"][2, k]
        for one in (0, 1):
            own = species == one
            meant = max(labels[own].var() - np.square(errors[own]).mean(), 0.05 * labels[own].var())
            expected = (labels[own] - labels[own].mean()) / np.sqrt(meant)
            np.testing.assert_allclose(batch.node_target[own, k], expected, atol=1e-4)
            np.testing.assert_allclose(batch.level[0, one, k], np.log([labels[own].mean(), meant**0.5]), atol=1e-5)
    assert batch.edge_target.shape == (batch.edge_index.shape[1], 3) and batch.edge_target.isfinite().all()


def test_noise_takes_weight_from_a_graph(data):
    """Weight u / (u + noise): the share of unexplained variance against that of noise, by kinds of the same size."""
    batch, dataset = data.batch([2]), data.files[0].at[0].dataset
    species = dataset["species"][2]
    for k in range(3):
        labels, errors = dataset["propensity"][2, k], np.square(dataset["propensity_error"][2, k])
        meant = np.array(
            [
                max(labels[species == s].var() - errors[species == s].mean(), 0.05 * labels[species == s].var())
                for s in (0, 1)
            ]
        )
        noise = (errors / meant[species]).mean()
        assert float(batch.weight[0, k, 0]) == pytest.approx(0.3 / (0.3 + noise), rel=1e-4)


def test_files_are_numbered_one_after_another_and_label_their_own_knots(both, cold, warm):
    assert both.knots == Knots((0.5, 1.0), ((1.0, 10.0, 100.0), (1.0, 10.0)))
    assert sorted(both.usable) == list(range(10)) and both.sizes["n_knots"] == 5
    batch = both.batch([1, 7])
    assert (batch.weight[:, :, 0] > 0).tolist() == [[True] * 3 + [False] * 2, [False] * 3 + [True] * 2]
    alone = GlassTimes(TimesOptions(file=str(warm), **KEYS)).batch([1])
    n = batch.n_nodes[0]
    assert torch.equal(batch.node_target[n:, 3:], alone.node_target) and not batch.node_target[n:, :3].any()
    assert both.mark(7) == Glass(GlassOptions(file=str(warm))).mark(1)
    assert sorted(chain.from_iterable(both.parts.values())) == list(range(10))


def test_a_blind_network_has_one_knot_for_a_time_of_all_files(cold, warm):
    blind = GlassTimes(TimesOptions(file=str(cold), further=(str(warm),), blind=True, **KEYS))
    assert len(blind.knots) == 3
    assert (blind.batch([7]).weight[0, :, 0] > 0).tolist() == [True, True, False]


def test_reversed_replicas_follow_at_every_time_of_their_file(both):
    train = both.parts["train"]
    assert both.split["train"] == train + [k + 10 for k in train] + [k + 20 for k in train] + [
        k + 30 for k in train if k < 6
    ]
    sample = next(k for k in train if k < 6)
    batch, dataset = both.batch([sample + 20]), both.files[0].at[0].dataset
    assert (batch.weight[0, :, 0] > 0).tolist() == [False, True, False, False, False]
    assert 0 < batch.weight[0, 1, 0] < both.batch([sample]).weight[0, 1, 0]
    moved = np.linalg.norm(dataset["position"][sample, 1, 0] - dataset["initial_position"][sample], axis=1)
    assert pearson(batch.node_target[:, 1].numpy()[batch.node_mask], moved[batch.node_mask]) > 0.999999
    assert batch.level[0, :2, 1, 0].isfinite().all() and batch.level[0, :, :, 1].isnan().all()


def test_the_loss_counts_labelled_knots_by_their_weight(both):
    batch = both.batch([1, 7])
    output = torch.sin(batch.node_target), torch.cos(batch.edge_target)
    losses = both.loss(output, batch, GlassLoss(p=0.3))
    n, m = batch.n_nodes[0], batch.n_edges[0]
    node = (output[0][:n] - batch.node_target[:n]).square().mean(0)
    edge = (output[1][:m] - batch.edge_target[:m]).square().mean(0)
    expected = (batch.weight[0, :3] * torch.stack([0.3 * node, 0.7 * edge], dim=1)[:3]).sum() / 3
    torch.testing.assert_close(losses["loss"][0], expected)
    alone = both.batch([7])
    rest = tuple(function(target) for function, target in zip((torch.sin, torch.cos), alone.targets, strict=True))
    torch.testing.assert_close(both.loss(rest, alone, GlassLoss(p=0.3))["loss"][0], losses["loss"][1])


def test_at_a_knot_it_answers_as_a_linear_model_of_that_time(data, cold):
    """The same particles and weights, so the same order of mobility; what differs is the penalty's unit."""
    network = AnyTime(**data.sizes)
    solve(SerialWorld(), network, data, "test")
    for k in range(3):
        alone = Glass(GlassOptions(file=str(cold), time=k, **KEYS))
        from dtrain.models.linear import Linear

        one = Linear(**alone.sizes)
        solve(SerialWorld(), one, alone, "test")
        for sample in data.split["test"]:
            batch = alone.batch([sample])
            node, edge, _, _ = (found.detach() for found in network(*data.inputs(batch)))
            other, bond = (found.detach() for found in one(*alone.inputs(batch)))
            is_a = batch.node_mask
            assert pearson(node[is_a, k].numpy(), other[is_a].numpy()) > 0.98
            assert pearson(edge[batch.edge_mask, k].numpy(), bond[batch.edge_mask].numpy()) > 0.9


def test_levels_follow_the_energy_of_a_configuration(data):
    """Solved on configurations whose mean mobility is a power of their energy, they give that of another one."""
    network = AnyTime(**data.sizes)
    found = network._level(torch.zeros(2, dtype=torch.long), torch.tensor([-7.0, -7.1]))
    assert found.shape == (2, 2, 3)
    network.set_weights("1.level.0.0", torch.tensor([3.0]), 20.0)
    found = network._level(torch.zeros(2, dtype=torch.long), torch.tensor([-7.0, -7.1]))
    torch.testing.assert_close(found[:, 0, 1], torch.tensor([-1.0, -1.3]), atol=1e-5, rtol=0)


def test_a_time_left_out_is_interpolated(run, cold):
    """Made-up particles move as the square root of time: the mean of their logarithm between two times."""
    trained = load_model(run)
    assert trained.system["knot_times"] == [[1.0, 100.0]]
    moment = at(trained, 10.0, 0.5)
    data = Glass(GlassOptions(file=str(cold), time=1, **KEYS))
    for sample in (0, 3):
        found = moment.network(*Glass.inputs(data.structure(sample)))[0].detach().numpy()
        labels, is_a = data.targets(sample)[0], data.dataset["species"][sample] == 0
        assert found[is_a].mean() == pytest.approx(labels[is_a].mean(), rel=0.1)
        assert pearson(found[is_a], labels[is_a]) > 0.5


def test_sizes_that_data_give_a_network_are_not_shown_as_choices_of_the_user(data):
    assert {*data.sizes} <= networks.supplied


def test_it_is_scored_at_every_time_beside_linear_models(run, cold):
    evaluate([str(run), "device=cpu", "threads=1"])
    with open(run / "evaluation.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time"]) for row in rows] == [1.0, 10.0, 100.0]
    assert all(float(row["any-time A"]) > 0.4 and float(row["linear A"]) > 0.4 for row in rows)
    assert {path.name for path in (run / "times").iterdir()} == {"T0.5_t1", "T0.5_t10", "T0.5_t100"}
    with Dataset(run / "times" / "T0.5_t10" / "evaluation.h5") as found:
        assert found["time"][0] == 10.0 and np.isfinite(found["propensity"][:]).all()


def test_times_outside_those_learnt_are_not_scored(cold, tmp_path):
    (tmp_path / "any.toml").write_text(RECIPE)
    code, printed = train_here(tmp_path, "any.toml", f"data.file={cold}", "data.times=[0,1]", "threads=1")
    assert code == 0, printed
    for _ in range(2):  # the second time in place of the first
        evaluate([str(tmp_path / "runs" / "any"), "device=cpu", "threads=1", "rival=false"])
    rows = (tmp_path / "runs" / "any" / "evaluation.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["1.0", "10.0"]


def test_a_model_that_is_solved_starts_from_nothing(cold, tmp_path):
    (tmp_path / "any.toml").write_text(RECIPE)
    code, printed = train_here(tmp_path, "any.toml", f"data.file={cold}", "model.frozen=['linear']", "threads=1")
    assert code == 2 and "model.frozen: model.name = 'any-time' is solved, from nothing" in printed


def test_a_file_without_labels_of_bonds_leaves_gaps_in_the_table(tmp_path, capsys):
    table = [{"temperature": 0.5, "time": 1.0, "any-time A": 0.7, "any-time A +-": 0.01,
              "any-time bonds": 0.4, "any-time bonds +-": 0.02},
             {"temperature": 1.0, "time": 1.0, "any-time A": 0.6, "any-time A +-": 0.01}]  # fmt: skip
    report(tmp_path, table)
    with open(tmp_path / "evaluation.csv", newline="") as file:
        assert [row["any-time bonds"] for row in csv.DictReader(file)] == ["0.4", ""]
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[3:5] == [["0.5", "1", "0.700", "+-", "0.010"], ["1", "1", "0.600", "+-", "0.010"]]
    assert shown[6:8] == [["0.5", "1", "0.400", "+-", "0.020"], ["1", "1"]]


def test_it_predicts_at_any_time_between(run, cold):
    import dtrain

    predict([str(run), str(cold), "time=30", "device=cpu", "threads=1"])
    with Dataset(run / "predictions.h5") as found, Dataset(cold) as file:
        assert found["time"][0] == 30.0
        arrays = [file[name][2] for name in ("initial_position", "species", "box")]
        inherent = file["inherent_position"][2]
        mobility = dtrain.predict(*arrays, str(run), time=30.0, inherent=inherent)
        np.testing.assert_allclose(mobility.propensity, found["propensity"][2, 0], rtol=1e-4)
        later = dtrain.predict(*arrays, str(run), inherent=inherent)
        assert later.propensity.mean() > 1.5 * mobility.propensity.mean()
    with pytest.raises(UserError, match="time = 300: the network has learnt times from 1 to 100"):
        dtrain.predict(*arrays, str(run), time=300.0, inherent=inherent)


def test_what_files_cannot_serve_is_refused(cold, warm, tmp_path):
    with pytest.raises(UserError, match=r"data.times = \[5\]: .*cold.h5 has the times 0 to 2"):
        GlassTimes(TimesOptions(file=str(cold), times=(5,)))
    other = shutil.copy(warm, tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        file.attrs["config"] = file.attrs["config"].replace("1.2", "1.3")
    with pytest.raises(UserError, match=r"density in .*other.h5 is 1.3, in .*cold.h5 1.2; one system is needed"):
        GlassTimes(TimesOptions(file=str(cold), further=(str(other),)))
    mixed = shutil.copy(warm, tmp_path / "mixed.h5")
    with h5py.File(mixed, "r+") as file:
        file["temperature"][1] = 0.7
    with pytest.raises(UserError, match=r"mixed.h5 has temperatures from 0.7 to 1; one of a file is needed"):
        GlassTimes(TimesOptions(file=str(mixed)))
